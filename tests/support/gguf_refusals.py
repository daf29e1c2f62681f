"""How a spoiled GGUF file is refused: quickly and by name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hired_gguf.errors import ModelFormatError
from hired_gguf.model_files.gguf_file import read_gguf


@contextmanager
def quick() -> Iterator[None]:
    """Within a second by a clock that other processes do not slow."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 1


def refuse(path: Path, *words: str) -> None:
    """Reading fails quickly, with a message that has the path and all the words."""
    with quick(), pytest.raises(ModelFormatError) as caught:
        read_gguf(path)
    for word in (str(path), *words):
        assert word in str(caught.value)
