"""What a conversation remembers: the pixels that were shown; and what it forgets when the context is full."""

from __future__ import annotations

import numpy as np
import pytest
from front_door import QUESTION, new
from golden_pair import assistant, photo, system, user
from PIL import Image

from hired_gguf import ContextOverflowError, ImageError
from hired_gguf.chat.conversation import without_oldest

# What was shown is what is remembered


def colour(name):
    return Image.new("RGB", (64, 64), name)


def overwritten(folder):
    path = folder / "camera.png"
    colour("red").save(path)
    return path, lambda: colour("blue").save(path)


def deleted(folder):
    path = folder / "camera.png"
    colour("red").save(path)
    return path, path.unlink


def array(_):
    pixels = np.array(colour("red"))
    return pixels, lambda: pixels.fill(9)


def array_with_alpha(_):
    pixels = np.array(colour("red").convert("RGBA"))
    return pixels, lambda: pixels.fill(9)


def image_object(_):
    image = colour("red")
    return image, lambda: image.paste("blue", (0, 0, 64, 64))


def url_of_a_file(folder):
    path, change = overwritten(folder)
    return path.as_uri(), change


@pytest.mark.parametrize(
    "kind",
    [overwritten, deleted, array, array_with_alpha, image_object, url_of_a_file],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_picture_that_changes_afterwards(llm, tmp_path, kind, stream):
    def talk(source, change):
        chat = llm.chat(max_tokens=8)
        turns = [(QUESTION, source), ("Why?", None), ("And now?", None)]
        answers = []
        for text, picture in turns:
            answers.append("".join(chat.stream(text, picture)) if stream else chat.send(text, picture).text)
            change()
            change = lambda: None  # noqa: E731
        return answers, chat.answer.prompt_tokens, [s.counts.tolist() for s in chat.answer.selections]

    source, change = kind(tmp_path)
    found = talk(source, change)
    assert found == talk(colour("red"), lambda: None)


def test_a_picture_is_read_when_its_turn_is_sent(llm, tmp_path):
    path, change = overwritten(tmp_path)
    chat = llm.chat(max_tokens=4)
    pieces = chat.stream(QUESTION, path)
    change()
    list(pieces)
    assert chat.messages[0]["content"][0]["image"].image.getpixel((0, 0)) == (255, 0, 0)


def test_a_list_of_pictures_that_changes(llm):
    pictures = [colour("red")]
    chat = llm.chat(max_tokens=4)
    chat.send(QUESTION, pictures)
    pictures.append(colour("blue"))
    chat.send("Why?")
    assert len(chat.answer.selections) == 1


def test_a_picture_that_cannot_be_read_leaves_no_turn(llm):
    chat = llm.chat(max_tokens=4)
    for say in (chat.send, chat.stream):
        with pytest.raises(ImageError, match="no such file"):
            say(QUESTION, "none.png")
    with pytest.raises(ImageError, match="allow_http"):
        chat.send(QUESTION, "http://127.0.0.1/a.png")
    assert chat.messages == []


def test_the_callers_own_list_is_the_truth(llm, tmp_path):
    path, change = overwritten(tmp_path)
    messages = [user({"type": "image", "image": path}, QUESTION)]
    options = {"temperature": 0.0, "max_tokens": 4}
    llm.answer(messages, **options)
    change()
    assert llm.answer(messages, **options).encoded_images == 1
    blue = [user({"type": "image", "image": colour("blue")}, QUESTION)]
    assert llm.answer(blue, **options).encoded_images == 0


# A full context


def long(number):
    return f"Number {number}. " + "What does the sign say? " * 12


def test_a_conversation_that_outgrows_the_context_forgets_its_oldest(tiny):
    with new(tiny, budget=4, n_ctx=300) as llm:
        chat = llm.chat(system="Be brief.", max_tokens=4, forgets=True)
        for number in range(8):
            chat.send(long(number), photo() if number == 0 else None)
            assert len(chat.answer.selections) == 1
        assert chat.forgotten > 3
        assert chat.messages[0] == system("Be brief.")
        questions = [m for m in chat.messages if m["role"] == "user"]
        assert len(questions) == 8 - chat.forgotten
        assert questions[0]["content"][0]["type"] == "image"
        assert questions[-1]["content"][-1]["text"] == long(7)
        assert "".join(chat.stream("Why?"))


def test_the_latest_pictures_stay():
    first, second = colour("red"), colour("blue")
    picture = lambda source: {"type": "image", "image": source}  # noqa: E731
    history = [system("S"), user(picture(first), "Q"), assistant("A"), user("R"), assistant("B"), user("T")]
    shorter = without_oldest(history)
    assert shorter == [system("S"), user(picture(first), "R"), assistant("B"), user("T")]
    assert without_oldest(shorter) == [system("S"), user(picture(first), "T")]
    assert without_oldest([system("S"), user("T")]) is None
    history[-1] = user(picture(second), "T")
    assert without_oldest(history) == [system("S"), user("R"), assistant("B"), user(picture(second), "T")]


def test_one_question_that_does_not_fit_changes_nothing(tiny):
    with new(tiny, budget=4, n_ctx=300) as llm:
        chat = llm.chat(max_tokens=4, forgets=True)
        chat.send(long(0))
        before = list(chat.messages)
        with pytest.raises(ContextOverflowError):
            chat.send("Why? " * 500)
        assert (chat.messages, chat.forgotten) == (before, 0)


def test_nothing_is_forgotten_unless_asked(tiny):
    with new(tiny, budget=4, n_ctx=300) as llm:
        chat = llm.chat(max_tokens=4)
        with pytest.raises(ContextOverflowError):
            [chat.send(long(number)) for number in range(8)]
        assert chat.forgotten == 0
