"""The pictures of a benchmark are the same every time."""

from __future__ import annotations

from PIL import Image

from hired_gguf.bench.pictures import SIZES_HW, default_picture, write_pictures


def test_pictures_are_always_the_same(tmp_path):
    first, second = default_picture(1), default_picture(2)
    assert [(p.height, p.width) for p in (first, second)] == list(SIZES_HW)
    assert first == default_picture(1)
    paths = write_pictures(tmp_path, [first, second])
    assert Image.open(paths[1]).convert("RGB") == second
