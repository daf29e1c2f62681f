"""Model files of others: any bytes as a GGUF file, as they are and with a megabyte of weights behind them."""

from __future__ import annotations

import os
from pathlib import Path

from hired_gguf.errors import ModelFormatError, ModelMismatchError, UnsupportedModelError
from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.pair import read_text_model

from .target import Target, scratch

ERRORS = (ModelFormatError, ModelMismatchError, UnsupportedModelError)
FOLDER = scratch()
BEHIND = 1 << 20


def run(data: bytes) -> None:
    """What is accepted lies in the file as a whole."""
    path = FOLDER / "model.gguf"
    refused = []
    for size in (len(data), len(data) + BEHIND):
        path.write_bytes(data)
        os.truncate(path, size)
        for reader in (_read_whole, read_mmproj, read_text_model):
            try:
                reader(path)
            except ERRORS as error:
                refused.append(error)
    assert all(str(path) in str(error) for error in refused)
    if refused:
        raise refused[-1]


def _read_whole(path: Path) -> None:
    file = read_gguf(path)
    assert all(file.data_offset <= t.offset for t in file.tensors.values())
    assert all(t.offset + t.nbytes <= file.file_size for t in file.tensors.values())


TARGET = Target(
    "gguf",
    run,
    ERRORS,
    max_length=8192,
    seconds=1.0,
    megabytes=50,
    words=(
        *("GGUF", "general.architecture", "general.alignment", "clip", "llama", "clip.vision.", "image_size"),
        *(
            "patch_size",
            "block_count",
            "image_grid_pinpoints",
            "clip.projector_type",
            "mlp",
            "v.blk.0.",
            ".weight",
        ),
        *(b"\x08\0\0\0", b"\x09\0\0\0", b"\xff\xff\xff\xff\xff\xff\xff\x7f"),
    ),
)
