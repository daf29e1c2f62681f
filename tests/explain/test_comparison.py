"""Several selections of one picture side by side."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import bright, contains, selection_of

from hired_gguf import InputError
from hired_gguf.explain.comparison import draw_comparison
from hired_gguf.explain.panels import what_stays


def test_a_comparison_has_a_column_for_each():
    picture = bright((80, 112))
    chosen = [selection_of((80, 112), allocation=name) for name in ("hired", "official", "uniform")]
    drawing = draw_comparison(chosen, picture, "Question: what?", ["Answer: a", "Answer: b", "Answer: c"])
    for selection in chosen:
        for panel in what_stays(selection, picture):
            assert contains(np.asarray(drawing), np.asarray(panel))
    assert draw_comparison(chosen[:2], picture).width < drawing.width
    with pytest.raises(InputError, match="nothing to compare"):
        draw_comparison([], picture)
