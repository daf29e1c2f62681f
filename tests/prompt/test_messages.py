"""Message lists: what is taken, and that what is not is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hired_gguf.errors import PromptError
from hired_gguf.prompt.messages import ImagePart, TextPart, Turn, parse_messages

ARRAY = np.zeros((2, 2, 3), np.uint8)
PICTURE = Image.new("RGB", (2, 2))


def parts_of(content, role="user", **extra):
    return parse_messages([{"role": role, "content": content, **extra}])[0].parts


@pytest.mark.parametrize(
    "content", ["Hi", ["Hi"], [{"type": "text", "text": "Hi"}], ({"type": "text", "text": "Hi"},)]
)
@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool", "function"])
def test_text(role, content):
    assert parts_of(content, role) == (TextPart("Hi"),)


@pytest.mark.parametrize("source", ["a.png", "data:,", b"png", PICTURE, ARRAY, "http://x/y.png"], ids=type)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"type": "image_url", "image_url": {"url": s}},
        lambda s: {"type": "image_url", "image_url": {"url": s, "detail": "low"}},
        lambda s: {"type": "image_url", "image_url": s},
        lambda s: {"type": "image", "image": s},
    ],
)
def test_images(source, wrap):
    parts = parts_of(["look:", wrap(source)])
    assert parts[0] == TextPart("look:")
    assert isinstance(parts[1], ImagePart)
    assert parts[1].source is source
    assert parts[1].where == "messages[0].content[1]"


def test_turns_keep_order_and_what_else_they_hold():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turns = parse_messages(
        [
            {"role": "user", "content": "Q", "name": "Ann"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "42", "tool_call_id": "1"},
        ]
    )
    assert turns == [
        Turn("user", (TextPart("Q"),), {"name": "Ann"}),
        Turn("assistant", (), {"tool_calls": [call]}),
        Turn("tool", (TextPart("42"),), {"tool_call_id": "1"}),
    ]


def test_empty_texts_are_texts():
    assert parts_of("") == (TextPart(""),)
    assert parts_of([]) == ()
    assert parts_of(None, "assistant", function_call={"name": "f", "arguments": "{}"}) == ()


def test_ten_thousand_messages():
    assert len(parse_messages([{"role": "user", "content": "Q"}] * 10_000)) == 10_000


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "messages is empty"),
        ("Hi", "messages is a str; it must be a list of messages"),
        (b"Hi", "messages is a bytes"),
        ({"role": "user", "content": "Hi"}, "messages is a dict"),
        (None, "messages is a NoneType"),
        (7, "messages is a int"),
        (["Hi"], "messages[0] is a str; it must be a dict with role and content"),
        ([{"content": "Hi"}], "messages[0].role is None; allowed: system, user, assistant, tool, function"),
        ([{"role": "Human", "content": "Hi"}], "messages[0].role is 'Human'"),
        ([{"role": ["user"], "content": "Hi"}], "messages[0].role is ['user']"),
    ],
)
def test_refused_lists(messages, words):
    with pytest.raises(PromptError) as refused:
        parse_messages(messages)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ".content is a NoneType; it must be a string or a list of parts"),
        (7, ".content is a int"),
        (b"Hi", ".content is a bytes"),
        ({"type": "text", "text": "Hi"}, ".content is a dict"),
        ([7], ".content[0] is a int; it must be a dict with a type"),
        ([{}], ".content[0].type is None; allowed: 'text', 'image_url', 'image'"),
        (["a", {"type": "input_audio", "data": "a.wav"}], ".content[1].type is 'input_audio'"),
        ([{"type": ["text"], "text": "Hi"}], ".content[0].type is ['text']"),
        ([{"type": "text"}], ".content[0].text is a NoneType; it must be a string"),
        ([{"type": "text", "text": 7}], ".content[0].text is a int"),
        ("a\ud800", ".content holds a lone surrogate at character 1"),
        ([{"type": "text", "text": "\udfff"}], ".content[0].text holds a lone surrogate at character 0"),
        ([{"type": "image_url"}], ".content[0].image_url holds no image"),
        ([{"type": "image_url", "image_url": None}], ".content[0].image_url holds no image"),
        ([{"type": "image_url", "image_url": {}}], ".content[0].image_url holds no image"),
        ([{"type": "image_url", "image_url": ""}], ".content[0].image_url holds no image"),
        ([{"type": "image", "image": b""}], ".content[0].image holds no image"),
    ],
)
def test_refused_contents(content, words):
    with pytest.raises(PromptError) as refused:
        parse_messages([{"role": "system", "content": "S"}, {"role": "user", "content": content}])
    assert f"messages[1]{words}" in str(refused.value)


@pytest.mark.parametrize("role", ["system", "assistant", "tool", "function"])
def test_only_users_show_images(role):
    with pytest.raises(PromptError, match=rf"\[0\]\.content\[0\] is an image in a {role} message"):
        parts_of([{"type": "image", "image": "a.png"}], role)


def test_only_a_call_may_replace_content():
    with pytest.raises(PromptError, match="content is a NoneType"):
        parts_of(None, "assistant")
    with pytest.raises(PromptError, match="content is a NoneType"):
        parts_of(None, "user", tool_calls=[{}])
