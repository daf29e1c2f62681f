"""`LlavaNext.ask_many`: what it was given, checked, and handed to the run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..config import TokenBudget
from ..errors import InputError
from .batch import run_batch
from .memory import Memory
from .progress import OnProgress
from .record import Record
from .schema import load_schema
from .settings import Settings
from .store import Store
from .task import Task, make_task

if TYPE_CHECKING:
    from ..model import LlavaNext

Tasks = Iterable[Mapping[str, Any] | Task]


def ask_many(
    llm: LlavaNext,
    tasks: Tasks,
    *,
    output: str | os.PathLike[str] | None,
    on_progress: OnProgress | None,
    as_completed: bool,
    retry_errors: bool,
    force: bool,
    **settings: Any,
) -> Iterator[Record]:
    """See `LlavaNext.ask_many`. ``settings`` are those of `settings_of_model`."""
    checked = make_tasks(tasks)
    same = settings_of_model(llm, **settings)

    def records() -> Iterator[Record]:
        with nullcontext(Memory()) if output is None else Store(output, same, force=force) as store:
            yield from run_batch(
                llm,
                checked,
                same,
                store,
                in_order=not as_completed,
                retry_errors=retry_errors,
                on_progress=on_progress,
            )

    return records()


def make_tasks(items: Tasks) -> list[Task]:
    """Tasks from mappings, numbered from 1. Raises InputError for what is neither mapping nor task."""
    if isinstance(items, (str, bytes, Mapping)):
        raise InputError(f"tasks is a {type(items).__name__}; it must be a list of dicts")
    tasks = []
    for number, item in enumerate(items, 1):
        if not isinstance(item, (Mapping, Task)):
            raise InputError(
                f"tasks[{number - 1}] is a {type(item).__name__}; it must be a dict with image and question"
            )
        tasks.append(item if isinstance(item, Task) else make_task(item, number))
    return tasks


def settings_of_model(llm: LlavaNext, **given: Any) -> Settings:
    """The settings of a loaded model, and what is given instead.

    Raises BudgetError, InputError, PromptError.
    """
    config = llm.handler.token_budget
    budget = {
        name: given.pop(name, getattr(config, name)) for name in ("budget", "alpha", "allocation", "newlines")
    }
    named = ("template", "system", "max_tokens", "temperature", "seed", "schema")
    values = {name: given.pop(name) for name in named if name in given}
    if values.get("schema") is not None:
        values["schema"] = load_schema(values["schema"])
    return Settings(
        model=llm.fingerprint,
        mmproj=llm.handler.info.fingerprint,
        chat_template=llm.handler.template,
        **vars(TokenBudget(**budget)),
        **values,
        sampling=dict(sorted(given.items())),
    )
