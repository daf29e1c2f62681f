"""The run: tasks in, a record each out, every image encoded and prefilled once."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from ..chat.answer import Answer, Answerer
from ..errors import ClosedError, CrashError
from ..prompt.messages import QUESTION_PLACEHOLDER
from ..prompt.sampling import random_seed
from . import schema
from .memory_store import Memory
from .pictures import Picture, group_by_image
from .progress import BatchProgress, OnProgress
from .record import Record, make_record
from .settings import QaSettings
from .store import MOST_ATTEMPTS, Store
from .task import Task, Tasks, identity, make_tasks

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
    on_progress: OnProgress | None = None,
) -> Generator[Record, None, None]:
    """See `LlavaNext.ask_many`: check the tasks now, then yield their records.

    The output file is opened before the answerer, so that no model is loaded in vain. Raises InputError;
    while iterated OutputError, OSError, and what opening raises.
    """
    checked = make_tasks(tasks)

    def records() -> Generator[Record, None, None]:
        kept = nullcontext(Memory()) if output is None else Store(output, settings, force=force)
        with kept as store, open_answerer() as answerer:
            yield from run_batch(
                answerer,
                checked,
                settings,
                store,
                in_order=not as_completed,
                retry_errors=retry_errors,
                allow_http=allow_http,
                on_progress=on_progress,
            )

    return records()


def run_batch(
    answerer: Answerer,
    tasks: Sequence[Task],
    settings: QaSettings,
    store: Store | Memory,
    *,
    in_order: bool = True,
    retry_errors: bool = False,
    allow_http: bool = False,
    on_progress: OnProgress | None = None,
) -> Generator[Record, None, None]:
    """Yield the record of every task once, in the order of the tasks or as they are completed.

    What the store has is not asked again. A task that fails gives a record with its error. Whatever else
    ends the run (an interrupt, the caller) leaves the store so that the next run goes on. Raises OSError if
    the store cannot be written, ClosedError.
    """
    run = _Run(answerer, tasks, settings, store, allow_http=allow_http, on_progress=on_progress)
    try:
        if store.resumed:
            run.identify_all()
        store.start(tasks, run.keys, in_order=in_order, retry_errors=retry_errors)
        done = run.work()
        for index in _in_order(done) if in_order else done:
            yield store.read(index)
    finally:
        if run.progress.done == len(tasks):
            store.finish()


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
    """The state of `run_batch`. ``keys`` are by task, None until its image was read."""

    def __init__(
        self,
        answerer: Answerer,
        tasks: Sequence[Task],
        settings: QaSettings,
        store: Store | Memory,
        *,
        allow_http: bool,
        on_progress: OnProgress | None,
    ) -> None:
        self.keys: list[str | None] = [None] * len(tasks)
        self._answerer, self._tasks, self._settings, self._store = answerer, tasks, settings, store
        self._allow_http = allow_http
        self._groups = list(group_by_image(tasks))
        self._seen: Counter[str] = Counter()
        self._on_progress = on_progress
        self.progress = BatchProgress(len(tasks), len(self._groups))

    def identify_all(self) -> None:
        """Find the key of every task, which reads all images."""
        for group in self._groups:
            self._identify(group, self._picture(group))

    def work(self) -> Iterator[int]:
        """Answer what has no record; yield the index of each task when it has one."""
        for group in self._groups:
            picture = self._picture(group)
            if self.keys[group[0]] is None:
                self._identify(group, picture)
            for index in group:
                self._work(index, picture)
                if index == group[-1]:
                    self.progress.images_done += 1
                self._tell(None)
                yield index

    def _picture(self, group: Sequence[int]) -> Picture:
        return Picture(self._tasks[group[0]].image, self._allow_http)

    def _identify(self, group: Sequence[int], picture: Picture) -> None:
        content = picture.digest()
        for index in sorted(group):
            text = json.dumps([self._settings.fingerprint, content, identity(self._tasks[index])])
            again = self._seen[text]  # a task that is there twice is asked twice
            self._seen[text] += 1
            self.keys[index] = hashlib.sha256(f"{text} {again}".encode()).hexdigest()[:32]

    def _work(self, index: int, picture: Picture) -> None:
        task, key = self._tasks[index], self.keys[index] or ""
        if self._store.has(key):
            self.progress.skip()
            return
        if task.error is not None:
            record = make_record(key, task, self._settings, error=task.error)
        elif self._store.died(key):
            error = CrashError(f"the process ended {MOST_ATTEMPTS} times during this task")
            record = make_record(key, task, self._settings, error=error)
        else:
            record = self._attempt(key, task, picture)
        self._store.add(index, record)
        self.progress.add(record)

    def _attempt(self, key: str, task: Task, picture: Picture) -> Record:
        self._store.begin(key)
        try:
            self._tell(task)
            return self._ask(key, task, picture)
        except BaseException:
            with suppress(OSError):
                self._store.drop(key)
            raise

    def _ask(self, key: str, task: Task, picture: Picture) -> Record:
        answer: Answer | None = None
        parsed: Any = None
        try:
            answer = self._answer(task, picture)
            if self._schema(task) is not None:
                parsed = schema.parse_answer(answer)
        except ClosedError:
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
        self.progress.task = task
        if self._on_progress:
            self._on_progress(self.progress)
