"""All answers of an evaluation, and what they say in numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from .configuration import Configuration
from .intervals import ratio_interval, share_interval
from .outcome import Outcome, PictureResult
from .tasks import EvalPicture, EvalQuestion

#: What counts of an answer: true, false, or None for what is left out.
Look = Callable[[EvalQuestion, Outcome], bool | None]


class Results:
    """Gathers whole pictures, so that all configurations have had the same questions at any time."""

    def __init__(self, configurations: Sequence[Configuration]) -> None:
        self.configurations = list(configurations)
        self.pictures: list[PictureResult] = []

    def add(self, result: PictureResult) -> None:
        """Take the outcomes of a picture."""
        self.pictures.append(result)

    @property
    def kinds(self) -> list[str]:
        """The kinds of questions, in the order in which they came."""
        return list(dict.fromkeys(q.kind for result in self.pictures for q in result.picture.questions))

    def share(self, index: int, look: Look) -> dict[str, Any] | None:
        """The share of a configuration's answers that ``look`` finds true, with its interval, or None."""
        seen = [values for values in self._by_picture(index, look) if values]
        right, asked = [sum(values) for values in seen], [len(values) for values in seen]
        if not asked:
            return None
        low, high = share_interval(right, asked)
        n = sum(asked)
        return {"right": sum(right), "n": n, "share": sum(right) / n, "low": low, "high": high}

    def relative(self, index: int) -> dict[str, Any] | None:
        """Accuracy as a part of that with all tokens, over the same questions; None without such a run."""
        full = [i for i, configuration in enumerate(self.configurations) if configuration.full]
        if not full or not self.pictures:
            return None
        right, reference = (
            [sum(values) for values in self._by_picture(i, is_correct)] for i in (index, full[0])
        )
        if not sum(reference):
            return None
        low, high = ratio_interval(right, reference) or (None, None)
        return {"share": sum(right) / sum(reference), "low": low, "high": high}

    def summary(self, index: int) -> dict[str, Any]:
        """A configuration in numbers."""
        configuration = self.configurations[index]
        outcomes = [outcome for _, _, outcome in self._each(index)]
        return {
            "label": configuration.label,
            "policy": configuration.policy,
            "full": configuration.full,
            **configuration.as_dict(),
            "all": self.share(index, is_correct),
            "kinds": {kind: self.share(index, correct_of(kind)) for kind in self.kinds},
            "relative_to_full": self.relative(index),
            "answer_kept": self.share(index, lambda question, outcome: outcome.answer_kept),
            "visual_tokens": fmean(o.visual_tokens for o in outcomes),
            "visual_tokens_full": fmean(o.visual_tokens_full for o in outcomes),
            "seconds_per_question": fmean(o.seconds for o in outcomes),
        }

    def document(self, facts: dict[str, Any], *, complete: bool = True) -> dict[str, Any]:
        """All of it as JSON. Seconds; shares from 0 to 1; ``low`` and ``high`` are 95 % intervals."""
        every = [outcome for i, _ in enumerate(self.configurations) for _, _, outcome in self._each(i)]
        return {
            **facts,
            "complete": complete,
            "pictures": len(self.pictures),
            "questions": sum(len(result.picture.questions) for result in self.pictures),
            "kinds": self.kinds,
            "encoded_images": sum(o.encoded_images for o in every) + sum(r.encodings for r in self.pictures),
            "encode_seconds": sum(o.encode_seconds for o in every)
            + sum(r.encode_seconds for r in self.pictures),
            "configurations": [self.summary(i) for i, _ in enumerate(self.configurations)],
            "records": [
                _record(self.configurations[i], *each)
                for i, _ in enumerate(self.configurations)
                for each in self._each(i)
            ],
        }

    def _each(self, index: int) -> Iterator[tuple[EvalPicture, EvalQuestion, Outcome]]:
        for result in self.pictures:
            for question, outcome in zip(result.picture.questions, result.outcomes[index], strict=True):
                yield result.picture, question, outcome

    def _by_picture(self, index: int, look: Look) -> list[list[bool]]:
        return [
            [
                value
                for question, outcome in zip(result.picture.questions, result.outcomes[index], strict=True)
                if (value := look(question, outcome)) is not None
            ]
            for result in self.pictures
        ]


def is_correct(question: EvalQuestion, outcome: Outcome) -> bool:
    """Whether the answer is right."""
    return outcome.right


def correct_of(kind: str) -> Look:
    """`is_correct` for the questions of one kind only."""
    return lambda question, outcome: outcome.right if question.kind == kind else None


def _record(
    configuration: Configuration, picture: EvalPicture, question: EvalQuestion, outcome: Outcome
) -> dict[str, Any]:
    return {
        "configuration": configuration.label,
        "picture": picture.name,
        "id": question.id,
        "kind": question.kind,
        "question": question.text,
        "answers": list(question.answers),
        **asdict(outcome),
    }
