"""The whole drawing: its panels, its words, its caption, and what cannot be drawn."""

from __future__ import annotations

import io

import numpy as np
import pytest
from command_line import COFFEE
from drawings import bright, contains, same_picture, selection_of

from hired_gguf import ImageError, InputError, overlay
from hired_gguf.explain.counts import partition_counts
from hired_gguf.explain.overlay import as_png, notes, title
from hired_gguf.explain.panels import kept_panels, what_allotted, what_chose, what_stays

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all


@pytest.mark.parametrize("size_hw", [(56, 56), (40, 120)])
def test_a_single_partition(size_hw):
    selection = selection_of(size_hw, pinpoints=[], budget=5)
    assert len(kept_panels(selection, bright(size_hw))) == 1
    assert overlay(selection, bright(size_hw)).mode == "RGB"
    assert [count.kept for count in partition_counts(selection)] == [5]


def test_words_of_a_drawing():
    selection = selection_of((112, 112), budget=0.25)
    assert title(selection) == (
        "20 of 88 visual tokens stay (budget 0.25, allocation hired; full image and 2 x 2 tiles)"
    )
    assert "88 tokens are 80 patches and 8 newline rows, of which 0 stay" in notes(selection)
    assert "swaps the grid's rows and columns" in notes(selection_of((56, 112), allocation="official"))
    assert "swaps" not in notes(selection_of((112, 112), allocation="official")) + notes(selection)
    everything = selection_of((112, 112), budget=1.0)
    assert "of which 8 stay" in notes(everything)


@pytest.mark.parametrize("allocation", ["hired", "official", "uniform"])
@pytest.mark.parametrize("size_hw", [(112, 112), (37, 150), (160, 47)])
def test_a_drawing_shows_its_panels_as_they_are(size_hw, allocation):
    picture, selection = bright(size_hw), selection_of(size_hw, allocation=allocation)
    drawing = np.asarray(overlay(selection, picture, caption="Question: what?\nAnswer: that"))
    panels = [what_allotted(selection, picture), *what_chose(selection, picture)]
    for panel in [*panels, *what_stays(selection, picture)]:
        assert contains(drawing, np.asarray(panel))


def test_a_caption_makes_the_drawing_taller_and_long_words_no_wider():
    selection, picture = selection_of((56, 112)), bright((56, 112))
    plain, told = (overlay(selection, picture, text) for text in ("", "word " * 80 + "x" * 500))
    assert told.width == plain.width
    assert told.height > plain.height + 100


def test_the_selection_of_an_answer_takes_the_picture(llm):
    answer = llm.ask(COFFEE, "What is it?", max_tokens=1)
    assert overlay(answer.selections[0], COFFEE).mode == "RGB"


def test_errors_of_an_overlay():
    selection = selection_of((56, 112))
    with pytest.raises(InputError, match=r"is 112 x 56 .* the selection was made for 56 x 112"):
        overlay(selection, bright((112, 56)))
    with pytest.raises(ImageError, match="no such file"):
        overlay(selection, "none.png")


def test_a_png_is_the_drawing():
    drawing = overlay(selection_of((56, 56)), bright((56, 56)))
    same_picture(io.BytesIO(as_png(drawing)), drawing)
