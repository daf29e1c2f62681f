"""Files of full length whose data never came: programs for downloads make room first, with zeros in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .gguf_file import GGUFFile, TensorInfo
from .gguf_header import Header, open_header
from .not_gguf import unfinished

SAMPLE: Final = 4096  # bytes at a place
MATRIX: Final = re.compile(r"(v\.)?blk\.\d+\.(attn|ffn)_.*weight|mm\.\d\.weight")  # no trained one is zeros


def refuse_unfilled(file: GGUFFile) -> None:
    """Raise ModelFormatError if a matrix is zeros at its start, its middle and its end."""
    with open_header(file.path) as header:
        for tensor in filter(lambda tensor: MATRIX.fullmatch(tensor.name), file.tensors.values()):
            if not any(block.strip(b"\0") for block in _samples(header, tensor)):
                header.fail(
                    f"the tensor {tensor.name!r} is zeros, room that a download has not filled; "
                    f"{unfinished(file.path)}"
                )


def _samples(header: Header, tensor: TensorInfo) -> Iterator[bytes]:
    length = min(SAMPLE, tensor.nbytes)
    for start in (0, (tensor.nbytes - length) // 2, tensor.nbytes - length):
        header.stream.seek(tensor.offset + start)
        yield header.stream.read(length)
