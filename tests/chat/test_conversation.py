"""Conversations: their history, and that each turn is what all at once would be."""

from __future__ import annotations

import pytest
from front_door import QUESTION, new
from golden_pair import assistant, photo, system, user
from parrot import Parrot

from hired_gguf import ContextOverflowError
from hired_gguf.chat.conversation import Chat
from hired_gguf.images.load import load_image

# With a parrot


def test_each_turn_is_asked_after_all_before_it():
    parrot = Parrot()
    chat = Chat(parrot, system="Be brief.", seed=1)
    assert chat.send("Who?").text == "Who?"
    assert "".join(chat.stream("Why?", max_tokens=3)) == "Why?"
    history = [system("Be brief."), user("Who?"), assistant("Who?"), user("Why?")]
    defaults = {"temperature": 0.0, "max_tokens": 256, "seed": 1}
    assert parrot.asked == [(history[:2], defaults), (history, {**defaults, "max_tokens": 3})]
    assert chat.messages == [*history, assistant("Why?")]
    assert chat.answer.text == "Why?"


# With a model


def test_turn_by_turn_equals_all_at_once(llm, tiny):
    chat = llm.chat(system="Be brief.", max_tokens=8)
    first = chat.send(QUESTION, photo())
    second = chat.send("Why?")
    third = chat.send("And this?", [photo("rocket")], max_tokens=4)
    shown = [chat.messages[i]["content"][0]["image"] for i in (1, 5)]
    sizes = [load_image(photo(name)).size for name in ("astronaut", "rocket")]
    assert [picture.image.size for picture in shown] == sizes
    assert chat.messages == [
        system("Be brief."),
        user({"type": "image", "image": shown[0]}, QUESTION),
        assistant(first.text),
        user("Why?"),
        assistant(second.text),
        user({"type": "image", "image": shown[1]}, "And this?"),
        assistant(third.text),
    ]
    assert third.completion_tokens == 4
    with new(tiny, budget=0.25) as fresh:
        options = {"temperature": 0.0, "max_tokens": 8}
        assert fresh.answer(chat.messages[:4], **options).text == second.text
    with new(tiny, budget=0.25) as fresh:
        assert fresh.answer(chat.messages[:6], **{**options, "max_tokens": 4}).text == third.text


def test_two_conversations_on_one_model(llm):
    def talk(chat, name):
        return [chat.send(QUESTION, photo(name)).text, chat.send("Why?").text]

    right = [talk(llm.chat(max_tokens=6), name) for name in ("astronaut", "coffee")]
    chats = [llm.chat(max_tokens=6), llm.chat(max_tokens=6)]
    mixed = [[c.send(QUESTION, photo(n)).text] for c, n in zip(chats, ("astronaut", "coffee"), strict=True)]
    for texts, chat in zip(mixed, chats, strict=True):
        texts.append(chat.send("Why?").text)
    assert mixed == right


def test_a_streamed_turn_joins_when_it_is_through(llm):
    chat = llm.chat(max_tokens=6)
    pieces = chat.stream(QUESTION, photo())
    next(pieces)
    assert chat.messages == []
    rest = "".join(pieces)
    assert chat.messages[1]["content"].endswith(rest.strip())
    unfinished = chat.stream("Why?")
    next(unfinished)
    unfinished.close()
    assert len(chat.messages) == 2
    again = llm.chat(max_tokens=6)
    again.send(QUESTION, photo())
    assert chat.send("Why?").text == again.send("Why?").text


def test_a_turn_that_fails_leaves_nothing(llm):
    chat = llm.chat(max_tokens=4)
    with pytest.raises(ContextOverflowError):
        chat.send("Why? " * 500)
    assert chat.messages == []
