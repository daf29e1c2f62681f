"""`/explain` in a chat: a drawing for each picture of the latest answer."""

from __future__ import annotations

import os

import pytest
from command_line import COFFEE
from drawings import same_picture
from golden_pair import MMPROJ, TEXT, photo

from hired_gguf import LlavaNext, overlay

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_folder")]


def test_chat_explains_the_last_answer(chat):
    code, out, err = chat(["What is it?", "/explain", "/budget 20", "And now?", "/explain"], COFFEE)
    lines = out.removesuffix("\n").split("\n")
    assert (code, err) == (0, "")
    assert lines[1::2] == ["drawn in overlay-1.png", "drawn in overlay-2.png"]
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        talk = llm.chat(max_tokens=4)
        turns = [("What is it?", COFFEE, 0.2), ("And now?", None, 20)]
        for number, (question, image, budget) in enumerate(turns, 1):
            answer = talk.send(question, image, budget=budget).text
            assert answer == lines[2 * number - 2]
            (selection,) = llm.handler.last_run.selections
            caption = f"Question: {question}\nAnswer: {answer}"
            same_picture(f"overlay-{number}.png", overlay(selection, COFFEE, caption=caption))


def test_chat_explains_each_of_the_latest_pictures(chat):
    rocket, chelsea = str(photo("rocket")), str(photo("chelsea"))
    code, out, _ = chat(["q", f"/image {rocket}", f"/image {chelsea}", "q", "/explain"], COFFEE)
    assert code == 0
    assert out.endswith("drawn in overlay-1.png\ndrawn in overlay-2.png\n")
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        talk = llm.chat(max_tokens=4)
        talk.send("q", COFFEE)
        answer = talk.send("q", [rocket, chelsea]).text
        chosen = llm.handler.last_run.selections
    for number, selection, image in zip((1, 2), chosen[1:], (rocket, chelsea), strict=True):
        expected = overlay(selection, image, caption=f"Question: q\nAnswer: {answer}")
        same_picture(f"overlay-{number}.png", expected)


def test_chat_has_nothing_to_explain_before_an_answer_about_a_picture(chat):
    code, _, err = chat(["/explain", "q", "/explain", "/reset", "/explain", f"/image {COFFEE}", "/explain"])
    assert code == 1
    assert err.count("ask a question about a picture first") == 4
    code, _, err = chat(["q", "/reset", "/explain"], COFFEE)
    assert err.count("ask a question about a picture first") == 1
    assert not os.listdir()


def test_chat_goes_on_where_a_drawing_cannot_be_written(chat, own_folder):
    if os.name != "posix" or os.geteuid() == 0:
        (own_folder / "overlay-1.png").mkdir()  # taken, so the next number is free
        assert "drawn in overlay-2.png" in chat(["q", "/explain"], COFFEE)[1]
        return
    own_folder.chmod(0o500)
    code, _, err = chat(["q", "/explain", "q"], COFFEE)
    assert code == 1
    assert "/explain: overlay-1.png cannot be written" in err
