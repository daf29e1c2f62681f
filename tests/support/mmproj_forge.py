"""A good mmproj to spoil, and how the spoiled one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf_forge import Forge, good_mmproj
from paths import GOLDEN_FOLDER

from hired_gguf.errors import HiredError, ModelFormatError
from hired_gguf.model_files.mmproj import MmprojInfo, read_mmproj

GOLDEN = GOLDEN_FOLDER / "hf_tiny"
V = "clip.vision."
GOOD = good_mmproj()


def load(forge: Forge, folder: Path) -> MmprojInfo:
    """The facts of a forged file."""
    return read_mmproj(forge.write(folder / "mmproj.gguf"))


def refuse(forge: Forge, folder: Path, *words: str, error: type[HiredError] = ModelFormatError) -> None:
    """Refused with exactly this type, and a message that has the file's name and all the words."""
    with pytest.raises(error) as caught:
        load(forge, folder)
    assert caught.type is error
    for word in ("mmproj.gguf", *words):
        assert word in str(caught.value)
