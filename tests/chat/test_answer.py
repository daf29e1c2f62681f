"""An answer with its costs, whole and in pieces."""

from __future__ import annotations

import json

import pytest
from front_door import ask
from parrot import chunks

from hired_gguf import Answer, StreamError
from hired_gguf.chat.answer import COUNTS, AnswerStream
from hired_gguf.context.run import Run

# From literal chunks


def test_pieces_are_those_of_the_chunks():
    stream = AnswerStream(chunks(" a", "", " cat "), Run())
    assert next(stream) == " a"
    assert stream.answer is None
    assert list(stream) == [" cat "]
    assert stream.answer == stream.read() == Answer("a cat", "stop", stream.run)


def test_chunks_that_come_to_no_end_are_an_answer_that_was_cut_off():
    stream = AnswerStream(chunks("a", "b", reason=None), Run())
    assert stream.read() == Answer("ab", "length", stream.run)
    assert stream.answer is None


def test_an_answer_in_numbers():
    answer = Answer("a cat", "stop", Run(prompt_tokens=30, reused_tokens=20, completion_tokens=3))
    assert (answer.prompt_tokens, answer.reused_tokens, answer.completion_tokens) == (30, 20, 3)
    numbers = json.loads(json.dumps(answer.as_dict()))
    assert {name: numbers[name] for name in COUNTS} == {name: getattr(answer, name) for name in COUNTS}
    assert (numbers["text"], numbers["finish_reason"], numbers["timings"]["ttft_s"]) == ("a cat", "stop", 0)


# From a model


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
