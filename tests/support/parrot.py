"""A stand-in for a model where only what happens to its answers is tested."""

from __future__ import annotations

from hired_gguf.chat.answer import Answer, AnswerStream
from hired_gguf.context.run import Run


class Parrot:
    """An `Answerer` that says what it is asked. ``asked`` has what it was asked, with options."""

    def __init__(self):
        self.asked = []

    def ask(self, image, question, **options):
        self.asked.append((question, options))
        return Answer(question, "stop", Run())

    def answer(self, messages, **options):
        self.asked.append((messages, options))
        return Answer(said(messages), "stop", Run())

    def stream(self, messages, **options):
        self.asked.append((messages, options))
        return AnswerStream(chunks(*said(messages)), Run())


def said(messages):
    """The text of the latest message."""
    return messages[-1]["content"][-1]["text"]


def chunks(*pieces, reason="stop"):
    """A completion in pieces, as llama-cpp-python streams it; no end for no reason."""
    deltas = [{"role": "assistant"}, *({"content": piece} for piece in pieces)]
    for delta in deltas:
        yield {"choices": [{"delta": delta, "finish_reason": None}]}
    if reason:
        yield {"choices": [{"delta": {}, "finish_reason": reason}]}
