"""One task put to a model: what came of it, whatever that was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..chat.answer import Answer, Answerer
from ..errors import ClosedError, CrashError, ForkError
from ..prompt.messages import QUESTION_PLACEHOLDER
from ..prompt.sampling import random_seed
from . import schema
from .pictures import Picture
from .settings import QaSettings
from .task import Task


@dataclass(frozen=True)
class Outcome:
    """What a task gave: `Answer.as_dict`, what that holds by a schema, and an error's type and message.

    ``out_of_memory`` tells that the error began as a MemoryError.
    """

    status: str = "ok"
    answer: dict[str, Any] | None = None
    parsed: Any = None
    error: dict[str, str] | None = None
    out_of_memory: bool = False


def failure(error: Exception, answer: Answer | None = None) -> Outcome:
    """The outcome of an error, perhaps about an answer."""
    return Outcome(
        "crashed" if isinstance(error, CrashError) else "error",
        answer.as_dict() if answer else None,
        error={"type": type(error).__name__, "message": str(error)},
        out_of_memory=_began_as_memory_error(error),
    )


def _began_as_memory_error(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, MemoryError):
        error = error.__cause__ or error.__context__
    return error is not None


class Asker(Protocol):
    """Whatever the tasks of a run are put to."""

    def ready(self) -> None:
        """Wait until a task can be asked. May raise what loading a model raises."""
        ...

    def ask(self, task: Task, picture: Picture, settle: Callable[[], None]) -> Outcome:
        """Ask, and call ``settle`` before the task can do harm to this process.

        Raises ClosedError, CrashError where the task ended a process and may be tried again.
        """
        ...


class DirectAsker:
    """Asks a model in this process."""

    def __init__(self, answerer: Answerer, settings: QaSettings) -> None:
        self._answerer, self._settings = answerer, settings

    def ready(self) -> None:
        """The model is loaded."""

    def ask(self, task: Task, picture: Picture, settle: Callable[[], None]) -> Outcome:
        """Ask. Raises ClosedError."""
        settle()
        answer: Answer | None = None
        parsed: Any = None
        try:
            answer = self._answer(task, picture)
            if (wanted := self._schema(task)) is not None:
                parsed = schema.parse_answer(answer, wanted)
        except (ClosedError, ForkError):
            raise
        except Exception as error:
            return failure(error, answer)
        return Outcome(answer=answer.as_dict(), parsed=parsed)

    def _answer(self, task: Task, picture: Picture) -> Answer:
        settings = self._settings
        image = picture.load()
        options: dict[str, Any] = settings.ask_options()
        if settings.seed is None and settings.temperature > 0:
            options["seed"] = random_seed()
        if (wanted := self._schema(task)) is not None:
            options["grammar"] = schema.make_grammar(wanted)
        answer: Answer = self._answerer.ask(
            image,
            settings.template.replace(QUESTION_PLACEHOLDER, task.question),
            budget=settings.token_budget
            if task.budget is None
            else settings.token_budget.changed(budget=task.budget),
            max_tokens=settings.max_tokens if task.max_tokens is None else task.max_tokens,
            fresh=True,
            **options,
        )
        return answer

    def _schema(self, task: Task) -> Any:
        return self._settings.schema if task.schema is None else task.schema
