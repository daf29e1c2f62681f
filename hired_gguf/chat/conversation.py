"""A conversation with a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..prompt.messages import Images, user_message
from .answer import Answer, Answerer


class Chat:
    """A conversation. ``messages`` is its history in OpenAI's form, without unfinished turns.

    ``answer`` is the latest answer.
    """

    def __init__(self, llm: Answerer, *, system: str | None = None, **options: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        if system is not None:
            self.messages.append({"role": "system", "content": system})
        self.answer: Answer | None = None
        self._llm = llm
        self._options = {"temperature": 0.0, "max_tokens": 256, **options}

    def send(self, text: str, image: Images = None, **options: Any) -> Answer:
        """Say something, with pictures if you like, and get the answer. Options as in `LlavaNext.ask`."""
        turn = user_message(text, image)
        answer = self._llm.answer([*self.messages, turn], **{**self._options, **options})
        self._keep(turn, answer)
        return answer

    def stream(self, text: str, image: Images = None, **options: Any) -> Iterator[str]:
        """`send` in pieces. The turn joins the history when the last piece is through."""
        turn = user_message(text, image)
        pieces = self._llm.stream([*self.messages, turn], **{**self._options, **options})
        yield from pieces
        self._keep(turn, pieces.read())

    def _keep(self, turn: dict[str, Any], answer: Answer) -> None:
        self.answer = answer
        self.messages += [turn, {"role": "assistant", "content": answer.text}]
