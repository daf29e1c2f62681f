"""Pictures drawn by rule."""

from __future__ import annotations

import numpy as np

from hired_gguf.images.samples import photograph, sample_pictures


def test_sample_pictures_are_the_same_every_time():
    first, second = sample_pictures(), sample_pictures()
    assert [picture.size for picture in first] == [(640, 480), (600, 300), (480, 640)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    assert all(np.asarray(picture).std() > 20 for picture in first)


def test_another_seed_is_another_photograph():
    one, same, other = photograph(60, 40, 1), photograph(60, 40, 1), photograph(60, 40, 2)
    assert one.size == (60, 40)
    assert one == same != other


def test_a_photograph_has_less_at_finer_scales():
    grey = np.asarray(photograph(256, 256), float).mean(-1) * np.outer(np.hanning(256), np.hanning(256))
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(256) * 256] * 2))
    spectrum = np.abs(np.fft.fft2(grey))
    bands = [spectrum[(frequency >= least) & (frequency < 2 * least)].mean() for least in (4, 8, 16, 32, 64)]
    ratios = np.divide(bands[:-1], bands[1:])
    assert (ratios > 1.5).all()  # white noise: 1; amplitudes of 1/f: 2
    assert (ratios < 6).all()
