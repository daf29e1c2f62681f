"""The run: tasks in, a record each out, every image encoded and prefilled once."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress

from ..errors import CrashError
from ..images.load import MAX_PIXELS
from .asking import Asker, DirectAsker, Outcome, failure
from .isolation import IsolatedAsker
from .keys import TaskKeys
from .memory_store import MOST_ATTEMPTS, Keeper, Memory, RecordStore
from .opener import Opener
from .pictures import Picture
from .progress import BatchProgress, OnProgress
from .record import Record, make_record
from .settings import QaSettings
from .store import Store
from .task import Task, Tasks, make_tasks


def ask_many(
    opener: Opener,
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

    The output file is opened before the model, so that none is loaded in vain. Raises InputError; while
    iterated OutputError, OSError, and what opening raises.
    """
    checked = make_tasks(tasks)

    def records() -> Generator[Record, None, None]:
        store: RecordStore = Memory() if output is None else Store(output, settings, force=force)
        with store, _open(opener, settings) as asker:
            yield from run_batch(
                asker,
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


@contextmanager
def _open(opener: Opener, settings: QaSettings) -> Iterator[Asker]:
    if opener.isolate:
        with IsolatedAsker(opener, settings) as asker:
            yield asker
        return
    stages = {} if opener.on_stage is None else {"on_progress": opener.on_stage}
    with opener.open(**stages) as answerer:
        yield DirectAsker(answerer, settings)


def run_batch(
    asker: Asker,
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
    run = _Run(asker, tasks, settings, kept, keys=keys, progress=progress, on_progress=on_progress)
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
        asker: Asker,
        tasks: Sequence[Task],
        settings: QaSettings,
        kept: Keeper,
        *,
        keys: TaskKeys,
        progress: BatchProgress,
        on_progress: OnProgress | None,
    ) -> None:
        self._asker, self._tasks, self._settings = asker, tasks, settings
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
        try:
            outcome = failure(task.error) if task.error else self._attempt(key, task, picture)
            record = make_record(key, task, self._settings, outcome)
            self._kept.add(index, record)
        except BaseException:  # also where the record could not be written: nothing crashed
            with suppress(OSError):
                self._kept.drop(key)
            raise
        self._progress.add(record)

    def _attempt(self, key: str, task: Task, picture: Picture) -> Outcome:
        """Ask, once more where that ended a process, until it did so as often as is allowed."""
        outcome = failure(CrashError(f"the process ended {MOST_ATTEMPTS} times during this task"))
        while not self._kept.died(key):
            self._asker.ready()
            self._kept.begin(key)
            self._tell(task)
            try:
                return self._asker.ask(task, picture, self._kept.settle)
            except CrashError as error:
                outcome = failure(CrashError(f"{error}; the task was tried {MOST_ATTEMPTS} times"))
        return outcome

    def _tell(self, task: Task | None) -> None:
        self._progress.task = task
        if self._on_progress:
            self._on_progress(self._progress)
