"""Tasks by their image, which is known by its content."""

from __future__ import annotations

import numpy as np
from pictures import picture

from hired_gguf.qa.pictures import Picture, group_by_image
from hired_gguf.qa.task import make_tasks


def test_groups_are_by_image_in_order_of_appearance():
    pixels = np.zeros((4, 4, 3), np.uint8)
    images = ["b", "a", "b", pixels, picture(), pixels.copy(), "a", picture(), None]
    tasks = make_tasks([{"image": image, "question": "Q"} for image in images])
    assert list(group_by_image(tasks)) == [[0, 2], [1, 6], [3, 5], [4, 7], [8]]


def test_equal_budgets_stand_together():
    tasks = make_tasks([{"image": "a", "question": "Q", "budget": b} for b in (None, 0.4, None, 1, 1.0, 0.4)])
    assert list(group_by_image(tasks)) == [[0, 2, 1, 5, 3, 4]]


def test_an_image_is_its_content(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"x")
    second.write_bytes(b"x")
    assert Picture(first, False).digest() == Picture(str(second), False).digest()
    second.write_bytes(b"y")
    assert Picture(first, False).digest() != Picture(second, False).digest()
    assert Picture("none", False).digest() == "unreadable 'none'"
    assert Picture("http://x.org/a.png", False).digest() == "unreadable 'http://x.org/a.png'"
