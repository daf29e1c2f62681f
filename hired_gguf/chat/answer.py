"""What a question gives back: an answer with its costs, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from ..context.run import Run
from ..progress import Timings
from ..prompt.messages import Images, Messages
from ..selection.selection import Selection

#: The counts of an answer, as `Answer.as_dict` names them.
COUNTS = (
    "visual_tokens",
    "visual_tokens_full",
    "prompt_tokens",
    "reused_tokens",
    "completion_tokens",
    "encoded_images",
    "reused_encodings",
)


@dataclass(frozen=True)
class Answer:
    """An answer and what it cost; ``str(answer)`` is the text.

    ``finish_reason`` is "stop" or "length". ``run`` is the record of the call: its counts, selections and
    seconds are the answer's properties too.
    """

    text: str
    finish_reason: str
    run: Run = field(repr=False)

    def __str__(self) -> str:
        return self.text

    @property
    def visual_tokens(self) -> int:
        """Rows of all images that the language model saw."""
        return self.run.visual_tokens

    @property
    def visual_tokens_full(self) -> int:
        """Rows that the language model would have seen with no token dropped."""
        return self.run.visual_tokens_full

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, text and visual."""
        return self.run.prompt_tokens

    @property
    def reused_tokens(self) -> int:
        """Prompt tokens that the context held already."""
        return self.run.reused_tokens

    @property
    def completion_tokens(self) -> int:
        """Sampled tokens, end of text included."""
        return self.run.completion_tokens

    @property
    def encoded_images(self) -> int:
        """Images that went through the vision encoder now."""
        return self.run.encoded_images

    @property
    def reused_encodings(self) -> int:
        """Images that were encoded before."""
        return self.run.reused_encodings

    @property
    def timings(self) -> Timings:
        """Seconds by stage."""
        return self.run.timings

    @property
    def selections(self) -> list[Selection]:
        """What was kept of each image, in the order of the prompt."""
        return self.run.selections

    def as_dict(self) -> dict[str, Any]:
        """The answer in numbers, as JSON can hold it."""
        return {
            "text": self.text,
            **{name: getattr(self, name) for name in COUNTS},
            "finish_reason": self.finish_reason,
            "timings": asdict(self.timings),
        }


class AnswerStream(Iterator[str]):
    """The pieces of an answer as they come. ``answer`` is set after the last one, ``run`` at once."""

    def __init__(self, chunks: Iterator[Any], run: Run) -> None:
        self.answer: Answer | None = None
        self._chunks = chunks
        self.run = run
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
        """Read to the end, and return the answer."""
        for _ in self:
            pass
        return self.answer or self._finish("length")

    def _finish(self, reason: str) -> Answer:
        return Answer(self._text.strip(), reason, self.run)


class Answerer(Protocol):
    """Anything that answers questions about pictures: `LlavaNext`, or a stand-in of a test."""

    def ask(self, image: Images, question: str, **options: Any) -> Any:
        """An `Answer`, or with ``stream=True`` an `AnswerStream`, to a question about pictures."""
        ...

    def answer(self, messages: Messages, **options: Any) -> Answer:
        """The answer to a message list in OpenAI's form."""
        ...

    def stream(self, messages: Messages, **options: Any) -> AnswerStream:
        """`answer` in pieces."""
        ...
