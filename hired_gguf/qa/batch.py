"""The run: tasks in, a record each out, every image encoded and prefilled once."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

from ..chat.answer import Answer, Answerer
from ..errors import ClosedError, CrashError, ForkError
from ..images.load import MAX_PIXELS
from ..prompt.messages import QUESTION_PLACEHOLDER
from ..prompt.sampling import random_seed
from . import schema
from .keys import TaskKeys
from .memory_store import Keeper, Memory, RecordStore
from .pictures import Picture
from .progress import BatchProgress, OnProgress
from .record import Record, make_record
from .record_order import MOST_ATTEMPTS
from .settings import QaSettings
from .store import Store
from .task import Task, Tasks, make_tasks

#: Opens what answers: a model that is loaded now, or one that is there already.
OpenAnswerer = Callable[[], AbstractContextManager[Answerer]]


def ask_many(
    open_answerer: OpenAnswerer,
    tasks: Tasks,
    settings: QaSettings,
    *,
    output: str | os.PathLike[str] | None = None,
    as_completed: bool = False,
    retry_errors: bool = False,
    force: bool = False,
    allow_http: bool = False,
    max_pixels: int = MAX_PIXELS,
    on_progress: OnProgress | None = None,
) -> Generator[Record, None, None]:
    """See `LlavaNext.ask_many`: check the tasks now, then yield their records.

    The output file is opened before the answerer, so that no model is loaded in vain. Raises InputError;
    while iterated OutputError, OSError, and what opening raises.
    """
    checked = make_tasks(tasks)

    def records() -> Generator[Record, None, None]:
        store: RecordStore = Memory() if output is None else Store(output, settings, force=force)
        with store, open_answerer() as answerer:
            yield from run_batch(
                answerer,
                checked,
                settings,
                store,
                in_order=not as_completed,
                retry_errors=retry_errors,
                allow_http=allow_http,
                max_pixels=max_pixels,
                on_progress=on_progress,
            )

    return records()


def run_batch(
    answerer: Answerer,
    tasks: Sequence[Task],
    settings: QaSettings,
    store: RecordStore,
    *,
    in_order: bool = True,
    retry_errors: bool = False,
    allow_http: bool = False,
    max_pixels: int = MAX_PIXELS,
    on_progress: OnProgress | None = None,
) -> Generator[Record, None, None]:
    """Yield the record of every task once, in the order of the tasks or as they are completed.

    What the store has is not asked again. A task that fails gives a record with its error. Whatever else
    ends the run (an interrupt, the caller) leaves the store so that the next run goes on. Raises OSError if
    the store cannot be written, ClosedError, ForkError.
    """
    keys = TaskKeys(tasks, settings, allow_http=allow_http, max_pixels=max_pixels)
    progress = BatchProgress(len(tasks), len(keys.groups))
    if store.resumed:
        keys.find_all()
    kept = store.start(tasks, keys.by_task, in_order=in_order, retry_errors=retry_errors)
    run = _Run(answerer, tasks, settings, kept, keys=keys, progress=progress, on_progress=on_progress)
    try:
        done = run.work()
        for index in _in_order(done) if in_order else done:
            yield kept.read(index)
    finally:
        if progress.done == len(tasks):
            kept.finish()


def _in_order(indexes: Iterator[int]) -> Iterator[int]:
    """0, 1, 2 ... each as soon as it and all before it have come."""
    come: set[int] = set()
    first = 0
    for index in indexes:
        come.add(index)
        while first in come:
            come.remove(first)
            yield first
            first += 1


class _Run:
    """Works on the tasks of `run_batch`, image by image."""

    def __init__(
        self,
        answerer: Answerer,
        tasks: Sequence[Task],
        settings: QaSettings,
        kept: Keeper,
        *,
        keys: TaskKeys,
        progress: BatchProgress,
        on_progress: OnProgress | None,
    ) -> None:
        self._answerer, self._tasks, self._settings = answerer, tasks, settings
        self._kept, self._keys = kept, keys
        self._progress, self._on_progress = progress, on_progress

    def work(self) -> Iterator[int]:
        """Answer what has no record; yield the index of each task when it has one."""
        for group in self._keys.groups:
            picture = self._keys.picture(group)
            self._keys.find(group, picture)
            for index in group:
                self._work(index, picture)
                if index == group[-1]:
                    self._progress.images_done += 1
                self._tell(None)
                yield index

    def _work(self, index: int, picture: Picture) -> None:
        task, key = self._tasks[index], self._keys.by_task[index] or ""
        if self._kept.has(key):
            self._progress.skip()
            return
        if task.error is not None:
            record = make_record(key, task, self._settings, error=task.error)
        elif self._kept.died(key):
            error = CrashError(f"the process ended {MOST_ATTEMPTS} times during this task")
            record = make_record(key, task, self._settings, error=error)
        else:
            record = self._attempt(key, task, picture)
        self._kept.add(index, record)
        self._progress.add(record)

    def _attempt(self, key: str, task: Task, picture: Picture) -> Record:
        self._kept.begin(key)
        try:
            self._tell(task)
            return self._ask(key, task, picture)
        except BaseException:
            with suppress(OSError):
                self._kept.drop(key)
            raise

    def _ask(self, key: str, task: Task, picture: Picture) -> Record:
        answer: Answer | None = None
        parsed: Any = None
        try:
            answer = self._answer(task, picture)
            if (wanted := self._schema(task)) is not None:
                parsed = schema.parse_answer(answer, wanted)
        except (ClosedError, ForkError):
            raise
        except Exception as error:
            return make_record(key, task, self._settings, answer=answer, error=error)
        return make_record(key, task, self._settings, answer=answer, parsed=parsed)

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

    def _tell(self, task: Task | None) -> None:
        self._progress.task = task
        if self._on_progress:
            self._on_progress(self._progress)
