"""Pictures drawn by rule."""

from __future__ import annotations

import numpy as np

from hired_gguf.images.samples import sample_pictures


def test_sample_pictures_are_the_same_every_time():
    first, second = sample_pictures(), sample_pictures()
    assert [picture.size for picture in first] == [(640, 480), (600, 300), (480, 640)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    assert all(np.asarray(picture).std() > 20 for picture in first)
