"""What the worker process of a run does: it has the model, and answers one task after the other."""

from __future__ import annotations

from contextlib import ExitStack

from ..native.serve import Note
from .asking import DirectAsker, Outcome
from .opener import Opening
from .pictures import Picture
from .settings import QaSettings
from .task import Task

TARGET = f"{__name__}:Worker"


class Worker:
    """Serves requests. There is one model, once it is opened, and one picture at a time."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._opened = ExitStack()
        self._asker: DirectAsker | None = None
        self._picture: Picture | None = None

    def open(self, opening: Opening, settings: QaSettings, stages: bool) -> None:
        """Load the model. With ``stages`` the parent hears how far each question is."""
        model = opening(on_progress=self._note) if stages else opening()
        self._asker = DirectAsker(self._opened.enter_context(model), settings)

    def ask(self, task: Task, picture: Picture | None) -> Outcome:
        """Ask about a picture, or about the last one again. Raises MemoryError, which ends the process."""
        self._picture = picture or self._picture
        assert self._asker is not None
        assert self._picture is not None
        outcome = self._asker.ask(task, self._picture, lambda: None)
        if outcome.out_of_memory:
            raise MemoryError
        return outcome
