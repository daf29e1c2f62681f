"""Tasks put to a model in a worker process: what kills, stops or starves it is one task's matter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..closing import Closing
from ..errors import CrashError
from ..native.child import Child
from ..native.child_errors import ChildDiedError, ChildError, ChildTimeoutError
from .asking import Outcome, failure
from .opener import Opener
from .patience import Patience
from .pictures import Picture
from .settings import QaSettings
from .task import Task
from .worker import TARGET

MOST_LOADS = 3  # in a row that a worker does not survive


class IsolatedAsker(Closing):
    """An `Asker` whose worker starts at once, loads meanwhile, and is started again when it has died."""

    def __init__(self, opener: Opener, settings: QaSettings) -> None:
        self._opener, self._settings = opener, settings
        self._patience = Patience(opener.task_timeout)
        self._child: Child | None = None
        self._is_ready = False
        self._picture: Picture | None = None  # that the worker has
        self._start()

    def _start(self) -> Child:
        opener = self._opener
        self._child = Child(TARGET, verbose=opener.verbose, memory_limit=opener.memory_limit)
        opening, stages = opener.open, opener.on_stage is not None
        self._child.send("open", opening=opening, settings=self._settings, stages=stages)
        return self._child

    def ready(self) -> None:
        """Wait for the model. Raises what loading it raises, CrashError where no worker survives that."""
        deaths = 0
        while not self._is_ready:
            child, started = self._child or self._start(), time.monotonic()
            try:
                child.receive(limit=self._patience.loading_limit())
            except (ChildDiedError, ChildTimeoutError) as error:
                self.close()
                deaths += 1
                if deaths == MOST_LOADS:
                    raise CrashError(f"loading the model: {self._reason(error)}, {deaths} times") from error
            except ChildError as error:
                raise error.error or error from None
            else:
                self._patience.note_loading(time.monotonic() - started)
                self._is_ready = True

    def ask(self, task: Task, picture: Picture, settle: Callable[[], None]) -> Outcome:
        """Ask, and settle meanwhile. Raises CrashError if the worker died, ClosedError."""
        self.ready()
        assert self._child is not None
        max_tokens = self._settings.max_tokens if task.max_tokens is None else task.max_tokens
        sent, started = (None if picture is self._picture else picture.as_sent()), time.monotonic()
        try:
            self._child.send("ask", task=replace(task, image=None), picture=sent)
            settle()
            outcome: Outcome = self._child.receive(
                limit=self._patience.limit(max_tokens), on_note=self._opener.on_stage or _ignore
            )
        except ChildTimeoutError as error:
            self.close()
            return failure(CrashError(self._reason(error)))
        except ChildDiedError as error:
            self.close()
            raise CrashError(self._reason(error)) from error
        except ChildError as error:
            raise error.error or error from None
        self._picture = picture
        self._patience.note(time.monotonic() - started, max_tokens)
        return outcome

    def _reason(self, error: ChildDiedError | ChildTimeoutError) -> str:
        """What ended a worker, and which limit that was."""
        if isinstance(error, ChildTimeoutError):
            return f"{error}, the limit (--task-timeout sets it), and was ended".replace("child", "worker", 1)
        if error.out_of_memory:
            limit = self._opener.memory_limit
            within = f" (memory limit: {limit / 2**30:.3g} GiB)" if limit else ""
            return f"the worker process ran out of memory{within}"
        killed = " by somebody, or by the system because memory ran out" if error.how == "SIGKILL" else ""
        return f"{error}{killed}".replace("child", "worker", 1)

    def close(self) -> None:
        """End the worker."""
        child, self._child = self._child, None
        self._is_ready, self._picture = False, None
        if child is not None:
            child.close()


def _ignore(*said: Any) -> None:
    """Nobody wants to hear it."""
