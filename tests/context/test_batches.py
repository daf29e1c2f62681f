"""A prompt cut into batches: what shares one, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from golden_pair import rows_of
from hypothesis import given
from hypothesis import strategies as st

from hired_gguf.context.batches import batches, is_text

A = rows_of(np.arange(10, dtype=np.float32).reshape(5, 2))
B = rows_of(np.arange(6, dtype=np.float32).reshape(3, 2) + 100)
PROMPT = [[1, 2], A, [3, 4, 5], B, [6]]
TOGETHER, UP_TO_IMAGES = {"joined": True, "apart": False}, {"joined": True, "apart": True}
ALONE = {"joined": False, "apart": False}


def sizes(found):
    """Of each batch's pieces: positive for tokens, negative for rows."""
    return [[len(p) if isinstance(p, list) else -len(p) for p in batch] for batch in found]


@pytest.mark.parametrize(
    ("kept", "most", "way", "expected"),
    [
        (0, 99, TOGETHER, [[2, -5, 3, -3, 1]]),
        (0, 99, UP_TO_IMAGES, [[2, -5], [3, -3], [1]]),
        (0, 99, ALONE, [[2], [-5], [3], [-3], [1]]),
        (0, 4, TOGETHER, [[2, -2], [-3, 1], [2, -2], [-1, 1]]),
        (0, 4, UP_TO_IMAGES, [[2, -2], [-3], [3, -1], [-2], [1]]),
        (0, 4, ALONE, [[2], [-4], [-1], [3], [-3], [1]]),
        (0, 7, TOGETHER, [[2, -5], [3, -3, 1]]),
        (0, 14, TOGETHER, [[2, -5, 3, -3, 1]]),
        (7, 99, TOGETHER, [[3, -3, 1]]),
        (8, 99, UP_TO_IMAGES, [[2, -3], [1]]),
        (13, 99, TOGETHER, [[1]]),
        (1, 1, TOGETHER, [[1], *[[-1]] * 5, *[[1]] * 3, *[[-1]] * 3, [1]]),
    ],
)
def test_batches(kept, most, way, expected):
    assert sizes(batches(PROMPT, kept, most, **way)) == expected


segments = st.one_of(
    st.lists(st.integers(0, 99), min_size=1, max_size=9), st.sampled_from([A, B]), st.just([])
)


@given(st.lists(segments, max_size=6), st.integers(1, 9), st.booleans(), st.booleans(), st.data())
def test_every_position_is_in_one_batch(prompt, most, joined, apart, data):
    def numbers(piece):
        return piece if isinstance(piece, list) else piece.tolist()

    whole = [n for s in prompt for n in (s if isinstance(s, list) else s.rows.tolist())]
    seams = np.cumsum([0, *map(len, prompt)]).tolist()
    kept = data.draw(st.sampled_from(seams))
    found = list(batches(prompt, kept, most, joined=joined, apart=apart))
    assert [n for batch in found for piece in batch for n in numbers(piece)] == whole[kept:]
    assert all(0 < sum(map(len, batch)) <= most for batch in found)
    assert all(len(piece) > 0 for batch in found for piece in batch)
    if not joined:
        assert all(len(batch) == 1 for batch in found)


def test_what_is_text():
    assert is_text([[1, 2], [3]])
    assert not is_text([[1, 2], A.rows])
