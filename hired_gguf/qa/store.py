"""The answers of a run in a file, complete and in order in the end, whatever happens on the way."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ..closing import Closing
from ..errors import OutputError
from ..files import given_path
from .record_files import RecordFiles
from .record_order import RecordOrder
from .settings import QaSettings
from .task import Task


class Store(Closing):
    """An output file and its journal, for one run at a time: the `RecordStore` that can be resumed.

    Raises OutputError if another run has the file, if it holds something else than records, or if the latest
    was made with other settings and not ``force``; OSError.
    """

    def __init__(self, path: str | os.PathLike[str], settings: QaSettings, *, force: bool = False) -> None:
        real = Path(os.path.realpath(given_path(path)))
        require_file(real)
        with ExitStack() as opened:
            self._files = opened.enter_context(RecordFiles(real))
            latest = self._files.latest
            if latest and not force and (found := settings.differences(latest)):
                raise OutputError(
                    f"{real} was made with other settings: {'; '.join(found)}. "
                    "Name another file, or answer every task again at the end of this one (--force)"
                )
            opened.pop_all()  # stays open

    @property
    def resumed(self) -> bool:
        """Whether there are records from before."""
        return bool(self._files.entries)

    def start(
        self, tasks: Sequence[Task], keys: Sequence[str | None], *, in_order: bool, retry_errors: bool
    ) -> RecordOrder:
        """Begin a run; see `RecordStore`."""
        return RecordOrder(self._files, tasks, keys, in_order=in_order, retry_errors=retry_errors)

    def close(self) -> None:
        """Close the files. What is not finished can be resumed."""
        self._files.close()


def require_file(path: Path, inputs: Iterable[str | os.PathLike[str]] = ()) -> None:
    """Raise OutputError unless a regular file is or can be at a path, and it is none of the inputs."""
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is not a regular file")
    if not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {path.parent}")
    for source in inputs:
        if path.exists() and os.path.exists(source) and os.path.samefile(path, source):
            raise OutputError(f"{path} is an input of the same run")
