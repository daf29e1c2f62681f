"""Any value of a caller's in a message: short, printable, and without places in memory."""

from __future__ import annotations

import hostile
import pytest

from hired_gguf import TokenBudget, errors
from hired_gguf.images.load import load_image
from hired_gguf.prompt.answer_formats import answer_grammar, forced_tool
from hired_gguf.prompt.messages import check_question_template, parse_messages
from hired_gguf.prompt.sampling import check_sampling
from hired_gguf.prompt.templates import choose_template
from hired_gguf.vision.cache import EncodingCache


@pytest.mark.parametrize("name", hostile.VALUES)
@pytest.mark.parametrize(
    "entry",
    [
        TokenBudget,
        lambda value: TokenBudget().changed(tokens=value),
        lambda value: TokenBudget(alpha=value),
        lambda value: TokenBudget(allocation=value),
        lambda value: TokenBudget().changed(policy=value),
        lambda value: check_sampling({"temperature": value}, 9),
        lambda value: check_sampling({"seed": value}, 9),
        lambda value: check_sampling({"logit_bias": {Hashed(value): 1}}, 9),
        lambda value: EncodingCache(max_bytes=[value]),
        lambda value: parse_messages([{"role": value, "content": ""}]),
        lambda value: parse_messages([{"role": "user", "content": [{"type": value}]}]),
        check_question_template,
        lambda value: choose_template(value, None),
        lambda value: choose_template(f"~{value}" if isinstance(value, str) else value, None),
        lambda value: answer_grammar({"type": value}, None),
        lambda value: forced_tool([], {"function": {"name": value}}),
        lambda value: forced_tool([], {"function": value}),
        lambda value: parse_messages([{"role": "user", "content": "", "images": [{"image": nested(value)}]}]),
    ],
)
def test_any_value_is_refused_by_a_short_message_that_can_be_printed(entry, name):
    with pytest.raises(errors.HiredError) as caught:
        entry(hostile.VALUES[name])
    assert 0 < len(str(caught.value).encode()) < 1000


def nested(value):
    for _ in range(2000):
        value = {"image": value}
    return value


def test_what_holds_itself_holds_no_picture():
    cycle = []
    cycle.append(cycle)
    (turn,) = parse_messages([{"role": "user", "content": "Q", "about": cycle}])
    assert turn.extra["about"] is cycle
    cycle.append(b"\x89PNG")
    with pytest.raises(errors.PromptError, match=r"messages\[0\].about is not read, and may hold a picture"):
        parse_messages([{"role": "user", "content": "Q", "about": cycle}])


class Hashed:
    """A key of a dict that shows as its value does."""

    def __init__(self, value):
        self.value = value

    def __str__(self):
        return str(self.value)

    def __repr__(self):
        return repr(self.value)


def test_what_is_shown_of_a_value():
    assert errors.shown("a") == "'a'"
    assert errors.shown("x" * 99, 10) == "'xxxxxx..."
    assert errors.shown(10**5000) == "<int>"
    assert errors.shown(hostile.Unshown()) == "<Unshown>"
    assert errors.shown(object()) == "<object object>"
    assert errors.shown([object()]) == "[<object object>]"


@pytest.mark.parametrize(
    "url", ["data:te\udcffxt;base64,AAAA", "data:image/png;base64,\ud800", "/a\ud800", "~\ud800/a"]
)
def test_an_image_source_that_cannot_be_printed_has_a_message_that_can(url):
    with pytest.raises(errors.ImageError) as caught:
        load_image(url)
    str(caught.value).encode()


def test_what_is_printable():
    assert errors.printable("a\ud800é") == "a\\ud800é"
