"""What becomes of a child process that does not answer."""

from __future__ import annotations

from ..errors import HiredError
from .amx_crash import signal_name
from .serve import OUT_OF_MEMORY


class ChildError(HiredError):
    """What a child process reported, or how it ended. ``error`` is the child's exception, if it had one."""

    def __init__(self, text: str, error: Exception | None = None) -> None:
        super().__init__(text)
        self.error = error


class ChildDiedError(ChildError):
    """A child that is no more. ``status`` as of `subprocess`; ``said`` is its last line on stderr."""

    def __init__(self, status: int, said: str) -> None:
        how = signal_name(-status) if status < 0 else f"exit code {status}"
        super().__init__(f"the child process died ({how})" + (f": {said}" if said else ""))
        self.status, self.said, self.how = status, said, how

    @property
    def out_of_memory(self) -> bool:
        """Whether it is known that memory ran out. (SIGKILL may mean it too.)"""
        return self.status == OUT_OF_MEMORY or "bad_alloc" in self.said or "MemoryError" in self.said


class ChildTimeoutError(ChildError):
    """A child that took too long. It has to be closed."""
