"""A conversation with a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..errors import ContextOverflowError
from ..images.load import load_image
from ..images.sources import LoadedImage
from ..prompt.messages import Images, user_message
from .answer import Answer, Answerer

Message = dict[str, Any]
T = TypeVar("T")


class Chat:
    """A conversation. ``messages`` is its history in OpenAI's form, without unfinished turns.

    What was shown is what is remembered: a picture is read once, when its turn is sent, and stays in
    ``messages`` as its pixels (3 bytes each, so 36 MB for 12 megapixels) as long as the conversation,
    whatever becomes of the file or array. ``answer`` is the latest answer.

    With ``forgets``, a conversation that has outgrown the context leaves out its oldest questions and their
    answers, else it raises ContextOverflowError. The latest pictures stay. ``forgotten`` counts questions.
    """

    def __init__(
        self,
        llm: Answerer,
        *,
        system: str | None = None,
        allow_http: bool = False,
        forgets: bool = False,
        **options: Any,
    ) -> None:
        self.messages: list[Message] = []
        if system is not None:
            self.messages.append({"role": "system", "content": system})
        self.answer: Answer | None = None
        self.forgotten = 0
        self._llm = llm
        self._allow_http = allow_http
        self._forgets = forgets
        self._options = {"temperature": 0.0, "max_tokens": 256, **options}

    def send(self, text: str, image: Images = None, **options: Any) -> Answer:
        """Say something, with pictures if you like, and get the answer. Options as in `LlavaNext.ask`.

        Raises ImageError for a picture that cannot be read, and what `LlavaNext.answer` raises.
        """
        turn = self._turn(text, image)
        messages, answer = self._ask(self._llm.answer, turn, options)
        self._keep(messages, answer)
        return answer

    def stream(self, text: str, image: Images = None, **options: Any) -> Iterator[str]:
        """`send` in pieces. The turn joins the history when the last piece is through."""
        return self._pieces(self._turn(text, image), options)  # read now: later the file may be another

    def _turn(self, text: str, image: Images) -> Message:
        turn = user_message(text, image)
        for part in _pictures(turn):
            part["image"] = LoadedImage(load_image(part["image"], allow_http=self._allow_http))
        return turn

    def _pieces(self, turn: Message, options: dict[str, Any]) -> Iterator[str]:
        messages, pieces = self._ask(self._llm.stream, turn, options)
        yield from pieces
        self._keep(messages, pieces.read())

    def _ask(self, ask: Callable[..., T], turn: Message, options: dict[str, Any]) -> tuple[list[Message], T]:
        """What was asked in the end, and what came of it."""
        messages = [*self.messages, turn]
        while True:
            try:
                return messages, ask(messages, **{**self._options, **options})
            except ContextOverflowError:
                shorter = without_oldest(messages) if self._forgets else None
                if shorter is None:
                    raise
                messages = shorter

    def _keep(self, messages: list[Message], answer: Answer) -> None:
        self.answer = answer
        self.forgotten += _questions(self.messages) + 1 - _questions(messages)
        self.messages[:] = [*messages, {"role": "assistant", "content": answer.text}]


def without_oldest(messages: list[Message]) -> list[Message] | None:
    """Without the first question and its answer; None if there is no other question.

    Its pictures move to the next question where no later one has any: the latest that were shown stay.
    """
    first, *others = [i for i, message in enumerate(messages) if message["role"] == "user"]
    if not others:
        return None
    pictures, later = _pictures(messages[first]), messages[others[0] :]
    if not any(map(_pictures, later)):
        later = [{**later[0], "content": [*pictures, *later[0]["content"]]}, *later[1:]]
    return [*messages[:first], *later]


def _questions(messages: list[Message]) -> int:
    return sum(message["role"] == "user" for message in messages)


def _pictures(message: Message) -> list[dict[str, Any]]:
    content = message["content"]
    return [] if isinstance(content, str) else [part for part in content if part["type"] == "image"]
