"""What a ``with`` block closes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

Own = TypeVar("Own", bound="Closing")


class Closing(ABC):
    """Whatever holds something until `close`, which the end of a ``with`` block calls, too."""

    @abstractmethod
    def close(self) -> None:
        """Give back what it holds."""

    def __enter__(self: Own) -> Own:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
