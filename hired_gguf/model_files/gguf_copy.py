"""A GGUF file made from a checked one: metadata byte for byte, tensors in types of one's own choice."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

from .gguf_file import TENSOR_TYPES, GGUFFile, TensorInfo
from .gguf_header import MAX_KEYS, open_header
from .gguf_values import read_metadata

TYPE_CODES = {name: code for code, (name, _, _) in TENSOR_TYPES.items()}
BLOCKS = {name: (block, nbytes) for name, block, nbytes in TENSOR_TYPES.values()}
U32 = 4  # number of the type in the file
COUNTS_AT = 16  # magic, version and the number of tensors come before the number of keys


def plan_tensors(file: GGUFFile, types: Mapping[str, str]) -> list[TensorInfo]:
    """The tensors with some types changed, in file order; offsets are from the start of the data."""
    planned: list[TensorInfo] = []
    offset = 0
    for tensor in file.tensors.values():
        kind = types.get(tensor.name, tensor.type)
        block, block_bytes = BLOCKS[kind]
        nbytes = math.prod(tensor.shape) // block * block_bytes
        planned.append(TensorInfo(tensor.name, tensor.shape, kind, offset, nbytes))
        offset += nbytes + len(padding(nbytes, file.alignment))
    return planned


def new_header(file: GGUFFile, numbers: Mapping[str, int], tensors: list[TensorInfo]) -> bytes:
    """All that comes before the data. ``numbers`` are u32 keys to set; others keep their bytes and places."""
    entries = _metadata_bytes(file)
    entries |= {key: _string(key) + struct.pack("<II", U32, number) for key, number in numbers.items()}
    described = [
        _string(tensor.name)
        + struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        + struct.pack("<IQ", TYPE_CODES[tensor.type], tensor.offset)
        for tensor in tensors
    ]
    start = b"GGUF" + struct.pack("<IQQ", file.version, len(tensors), len(entries))
    header = b"".join([start, *entries.values(), *described])
    return header + padding(len(header), file.alignment)


def padding(nbytes: int, alignment: int) -> bytes:
    """What follows so many bytes, so that the next thing starts at a multiple."""
    return bytes(-nbytes % alignment)


def _metadata_bytes(file: GGUFFile) -> dict[str, bytes]:
    """Each key's bytes, name and type included; long values too, which the reader steps over."""
    spans: dict[str, tuple[int, int]] = {}
    with open_header(file.path) as header:
        header.skip(COUNTS_AT, "the header")
        for _ in range(header.count("the number of metadata keys", MAX_KEYS)):
            start = header.position
            key = next(iter(read_metadata(header, 1)[0]))
            spans[key] = (start, header.position)
        header.stream.seek(0)
        data = header.stream.read(header.position)
    return {key: data[start:end] for key, (start, end) in spans.items()}


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
