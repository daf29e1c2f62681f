"""What a question gives back: an answer with its costs, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .progress import Timings
from .run import Run


@dataclass(frozen=True)
class Answer:
    """An answer and what it cost; ``str(answer)`` is the text.

    ``visual_tokens`` of ``visual_tokens_full`` rows were shown to the language model. ``reused_tokens`` of
    ``prompt_tokens`` were in its context from before, and ``reused_encodings`` images were encoded before;
    ``encoded_images`` were encoded now. ``finish_reason`` is "stop" or "length".
    """

    text: str
    visual_tokens: int
    visual_tokens_full: int
    prompt_tokens: int
    reused_tokens: int
    completion_tokens: int
    encoded_images: int
    reused_encodings: int
    finish_reason: str
    timings: Timings

    def __str__(self) -> str:
        return self.text


class AnswerStream(Iterator[str]):
    """The pieces of an answer as they come. ``answer`` is there once they are through."""

    def __init__(self, chunks: Iterator[Any], run: Run) -> None:
        self.answer: Answer | None = None
        self._chunks = chunks
        self._run = run
        self._text = ""

    def __next__(self) -> str:
        for chunk in self._chunks:
            choice = chunk["choices"][0]
            if choice["finish_reason"] is not None:
                self.answer = self._finish(choice["finish_reason"])
            if piece := choice["delta"].get("content"):
                self._text += piece
                return str(piece)
        raise StopIteration

    def read(self) -> Answer:
        """Read to the end."""
        for _ in self:
            pass
        return self.answer or self._finish("length")

    def _finish(self, reason: str) -> Answer:
        run = self._run
        return Answer(
            text=self._text.strip(),
            visual_tokens=run.visual_tokens,
            visual_tokens_full=run.visual_tokens_full,
            prompt_tokens=run.prompt_tokens,
            reused_tokens=run.reused_tokens,
            completion_tokens=run.completion_tokens,
            encoded_images=run.encoded_images,
            reused_encodings=run.reused_encodings,
            finish_reason=reason,
            timings=run.timings,
        )
