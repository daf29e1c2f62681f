"""What an answer to a known question is worth."""

from __future__ import annotations

from dataclasses import dataclass

from ..chat.answer import Answer
from .matching import is_right
from .tasks import EvalPicture, EvalQuestion


@dataclass
class Outcome:
    """An answer to a question. ``seconds`` leave out the vision encoder's ``encode_seconds``.

    ``answer_kept`` says whether the characters asked for were all shown in the tiles, where that is known.
    """

    prediction: str
    right: bool
    visual_tokens: int
    visual_tokens_full: int
    seconds: float
    encode_seconds: float
    encoded_images: int
    reused_tokens: int
    finish_reason: str
    answer_kept: bool | None = None

    @classmethod
    def of(cls, question: EvalQuestion, answer: Answer) -> Outcome:
        """What an answer is worth."""
        return cls(
            prediction=answer.text,
            right=is_right(answer.text, question.answers),
            visual_tokens=answer.visual_tokens,
            visual_tokens_full=answer.visual_tokens_full,
            seconds=answer.timings.total_s - answer.timings.encode_s,
            encode_seconds=answer.timings.encode_s,
            encoded_images=answer.encoded_images,
            reused_tokens=answer.reused_tokens,
            finish_reason=answer.finish_reason,
        )


@dataclass(frozen=True)
class PictureResult:
    """The outcomes of one picture, by configuration and question.

    ``encodings`` and ``encode_seconds`` are of the extra encodings for the attention of other layers.
    """

    picture: EvalPicture
    outcomes: list[list[Outcome]]
    encodings: int = 0
    encode_seconds: float = 0.0
