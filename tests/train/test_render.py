"""Training pictures: what the engine would see of them, kept in files, in batches."""

from __future__ import annotations

import numpy as np
from train import sequence
from train.render import batches, keep, load, render
from train.sizes import TILE
from training import SEED, picture

from hired_gguf.scenes import make_scene
from hired_gguf.vision.preprocess import preprocess


def test_a_picture_is_what_the_engine_sees():
    drawn, again = picture(0), render(SEED, 0, crowded=False)
    image = make_scene("train", SEED, 0, tile=TILE).image
    tiling = sequence.tiling_of(drawn)
    assert drawn.scene.image.size == image.size
    pixels = preprocess(image, tiling, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)).transpose(0, 2, 3, 1)
    seen = (drawn.partitions / 255 - (0.5, 0.4, 0.3)) / (0.2, 0.3, 0.4)
    np.testing.assert_allclose(pixels, seen, atol=1e-5)
    np.testing.assert_array_equal(drawn.partitions, again.partitions)
    np.testing.assert_array_equal(drawn.labels, again.labels)


def test_pictures_kept_in_files_are_those_drawn(tmp_path):
    drawn = [picture(0), picture(1)]
    kept = load([keep(tmp_path / "000000.pickle", drawn)])
    assert len(kept) == len(drawn)
    for one, other in zip(kept, drawn, strict=True):
        np.testing.assert_array_equal(one.partitions, other.partitions)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.scene.items == other.scene.items
        assert one.scene.image.size == other.scene.image.size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.npy", "000000.pickle"]


def test_batches_go_on_where_an_earlier_run_stopped():
    whole, later = batches(10, 3, SEED), batches(10, 3, SEED, skip=4)
    first = [next(whole) for _ in range(8)]
    assert [next(later) for _ in range(4)] == first[4:]
    assert len({number for batch in first[:3] for number in batch}) == 9
    assert first[:3] != first[3:6]
