"""An answer with its costs, whole and in pieces."""

from __future__ import annotations

import pytest
from front_door import ask

from hired_gguf import Answer, StreamError


def test_answer(llm):
    answer = ask(llm)
    assert isinstance(answer, Answer)
    assert str(answer) == answer.text == answer.text.strip()
    assert len(answer.text.split()) > 2
    assert (answer.visual_tokens, answer.visual_tokens_full) == (20, 88)
    assert (answer.completion_tokens, answer.finish_reason) == (12, "length")
    assert answer.prompt_tokens == ask(llm, budget=1).prompt_tokens + 19


def test_stream(llm):
    right = ask(llm)
    stream = ask(llm, stream=True)
    assert stream.answer is None
    pieces = list(stream)
    assert len(pieces) > 3
    assert "".join(pieces).strip() == right.text
    assert stream.answer.text == right.text
    assert stream.answer.finish_reason == "length"
    assert stream.read() is stream.answer
    assert list(stream) == []


def test_a_stream_read_in_two_goes(llm):
    stream = ask(llm, stream=True)
    first = next(stream)
    assert stream.read().text.startswith(first.strip())
    assert stream.answer == ask(llm, stream=True).read() or stream.answer.text == ask(llm).text


def test_an_abandoned_stream(llm):
    right = ask(llm).text
    stream = ask(llm, stream=True)
    next(stream)
    assert ask(llm).text == right
    with pytest.raises(StreamError):
        next(stream)
    assert stream.answer is None
