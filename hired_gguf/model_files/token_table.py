"""Where a language model's file has the rows of its tokens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError, ModelFormatError
from .pair import read_model_parts

TENSOR: Final = "token_embd.weight"


@dataclass(frozen=True)
class TokenTable:
    """The tensor of a file that has a row for each token, and the file's state when this was read."""

    path: Path
    architecture: str
    type: str
    """ggml's, such as "Q4_K"."""
    tokens: int
    width: int
    offset: int
    row_bytes: int
    state: os.stat_result

    def is_there(self) -> bool:
        """Whether nobody has changed or replaced the file since."""
        try:
            return _state(os.stat(self.path)) == _state(self.state)
        except OSError:
            return False

    def read(self, ids: Sequence[int]) -> npt.NDArray[np.uint8]:
        """The bytes [ids, row_bytes] of those tokens' rows, as the file has them.

        Raises InputError for an id that is not in the table, ModelFormatError if the file has changed since.
        """
        for token in ids:
            if not 0 <= token < self.tokens:
                raise InputError(f"[prefill] token {token}; {self.path} has 0 to {self.tokens - 1}")
        rows = bytearray()
        try:
            with self.path.open("rb", buffering=0) as file:
                same = _state(os.fstat(file.fileno())) == _state(self.state)
                for token in ids:
                    file.seek(self.offset + token * self.row_bytes)
                    rows += file.read(self.row_bytes)
        except OSError as error:
            raise ModelFormatError(f"{self.path} was there and cannot be read any more: {error}") from error
        if not same or len(rows) != len(ids) * self.row_bytes:
            raise ModelFormatError(f"{self.path} was changed while its model was in use")
        return np.frombuffer(rows, np.uint8).reshape(len(ids), self.row_bytes)


def read_token_table(path: str | os.PathLike[str]) -> TokenTable | None:
    """The table of a language model's file, or of the part of a split one that has it; None without one.

    Raises FileNotFoundError, ModelFormatError.
    """
    parts = read_model_parts(Path(path).absolute())
    for part in parts:
        tensor = part.tensors.get(TENSOR)
        if tensor is not None and len(tensor.shape) == 2:
            width, tokens = tensor.shape
            return TokenTable(
                path=part.path,
                architecture=str(parts[0].metadata.get("general.architecture")),
                type=tensor.type,
                tokens=tokens,
                width=width,
                offset=tensor.offset,
                row_bytes=tensor.nbytes // tokens,
                state=os.stat(part.path),
            )
    return None


def _state(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
