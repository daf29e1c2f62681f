"""How a run gets its model: opened here, or in a worker process that may die in its place."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..chat.answer import Answerer
from ..errors import InputError
from ..progress import Progress

#: Opens what answers: a model that is loaded now, or one that is there already. It may take ``on_progress``.
Opening = Callable[..., AbstractContextManager[Answerer]]


@dataclass(frozen=True)
class Opener:
    """``open`` opens the model, in a worker process if ``isolate``; it then must be picklable.

    ``task_timeout`` is in seconds, None for `Patience`'s own; ``memory_limit`` is in bytes and counts what
    the worker allocates, not the files that it maps. Both need ``isolate``. ``on_stage`` hears how far each
    question is; ``verbose`` shows what the worker writes to stderr. Raises InputError.
    """

    open: Opening
    isolate: bool = False
    task_timeout: float | None = None
    memory_limit: int | None = None
    on_stage: Progress | None = None
    verbose: bool = False

    def __post_init__(self) -> None:
        for name in ("task_timeout", "memory_limit"):
            value = getattr(self, name)
            if value is None:
                continue
            if not self.isolate:
                raise InputError(f"{name} is the worker process's: it needs isolate=True")
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not (number and math.isfinite(value) and value > 0):
                raise InputError(f"{name} is {value!r}; allowed: a number above 0")
        if self.memory_limit is not None and sys.platform != "linux":
            raise InputError(f"memory_limit needs Linux, this is {sys.platform}")
