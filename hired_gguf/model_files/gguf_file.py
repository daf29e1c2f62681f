"""A bounded reader of GGUF headers: it shows that a file is whole before native code opens it.

llama.cpp and its vision loader abort the process on much that they do not expect. This reader holds every
count, length and offset against the bytes that the file has, keeps a few MiB at most, reads no tensor data,
and accepts nothing that ggml's own reader rejects. Its errors name the file, the field and the value.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from ..files import given_path
from .gguf_header import MAX_KEYS, Header, open_header
from .gguf_values import GGUFType, Value, read_metadata
from .not_gguf import unfinished

MAX_TENSORS: Final = 1 << 15
MAX_NAME_BYTES: Final = 63  # GGML_MAX_NAME less its NUL
MAX_ELEMENTS: Final = (1 << 63) - 1
ALIGNMENTS: Final = tuple(1 << bits for bits in range(3, 17))  # 8 to 65536
DEFAULT_ALIGNMENT: Final = 32

# number in the file: (ggml type, elements a block, bytes a block)
TENSOR_TYPES: Final = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8),
    28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
    42: ("Q2_0", 64, 18),
}  # fmt: skip


class TensorInfo(NamedTuple):
    """Where a tensor lies in the file. ``shape`` is in ggml's order: ne0, the row length, first."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    nbytes: int


@dataclass(frozen=True)
class GGUFFile:
    """The header of a GGUF file; offsets are absolute."""

    path: Path
    version: int
    metadata: dict[str, Value]
    types: dict[str, GGUFType]
    tensors: dict[str, TensorInfo]
    data_offset: int
    alignment: int
    file_size: int

    @property
    def parameters(self) -> int:
        """Number of weights in all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())

    @property
    def weight_type(self) -> str:
        """See `weight_type`."""
        return weight_type([self])


def weight_type(parts: Iterable[GGUFFile]) -> str:
    """The ggml type of most of the tensor bytes, ``none`` without tensors."""
    nbytes: Counter[str] = Counter()
    for tensor in (tensor for part in parts for tensor in part.tensors.values()):
        nbytes[tensor.type] += tensor.nbytes
    return nbytes.most_common(1)[0][0] if nbytes else "none"


def read_gguf(path: str | os.PathLike[str]) -> GGUFFile:
    """Read and check the header of a little-endian GGUF file of version 2 or 3.

    Raises FileNotFoundError for a path that does not exist and ModelFormatError for all else that is wrong.
    """
    with open_header(Path(given_path(path))) as header:
        version = _read_version(header)
        n_tensors = header.count("the number of tensors", MAX_TENSORS)
        n_keys = header.count("the number of metadata keys", MAX_KEYS)
        metadata, types = read_metadata(header, n_keys)
        alignment = _alignment(header, metadata, types)
        relative = _read_tensors(header, n_tensors, alignment)
        data_offset = _pad(header.position, alignment)
        tensors = {t.name: t._replace(offset=data_offset + t.offset) for t in relative.values()}
        _check_extents(header, tensors)
        return GGUFFile(header.path, version, metadata, types, tensors, data_offset, alignment, header.size)


def fingerprint(file: GGUFFile, sample: int = 4096) -> str:
    """Tell model files apart without reading gigabytes.

    SHA-256 over the file size, the whole header, and the first and last ``sample`` bytes of every tensor.
    Files that differ only inside a large tensor share it: it recognises a model but does not authenticate it.
    """
    digest = hashlib.sha256(b"%d" % file.file_size)
    with open_header(file.path) as header:
        if header.size != file.file_size:
            header.fail(f"the file had {file.file_size} bytes and now has {header.size}")
        digest.update(header.stream.read(file.data_offset))
        for tensor in file.tensors.values():
            length = min(sample, tensor.nbytes)
            for start in (tensor.offset, tensor.offset + tensor.nbytes - length):
                header.stream.seek(start)
                digest.update(header.stream.read(length))
    return digest.hexdigest()


def _read_version(header: Header) -> int:
    header.require_magic()
    version = header.u32("the version")
    if version and version & 0xFFFF == 0:
        header.fail("the version is big-endian; only little-endian GGUF is supported")
    if version not in (2, 3):
        old = " Version 1 was written in August 2023 only: download a newer file" if version == 1 else ""
        header.fail(f"the version is {version}; GGUF 2 and 3 are supported.{old}")
    return version


def _alignment(header: Header, metadata: dict[str, Value], types: dict[str, GGUFType]) -> int:
    key = "general.alignment"
    if key not in types:
        return DEFAULT_ALIGNMENT
    value = metadata[key]
    if types[key] == "u32" and isinstance(value, int) and value in ALIGNMENTS:
        return value
    header.fail(f"{key} is {value!r} ({types[key]}); a u32 power of two from 8 to 65536 is needed")


def _read_tensors(header: Header, n_tensors: int, alignment: int) -> dict[str, TensorInfo]:
    """Tensors with offsets relative to the data; llama.cpp wants them in file order and without gaps."""
    tensors: dict[str, TensorInfo] = {}
    end = 0
    for index in range(n_tensors):
        name = header.name(f"the name of tensor {index}", MAX_NAME_BYTES)
        if name in tensors:
            header.fail(f"duplicate tensor {name!r}")
        what = f"tensor {name!r}"
        shape = _read_shape(header, what)
        kind, nbytes = _storage(header, header.u32(what), shape, what)
        offset = header.u64(what)
        if offset != end:
            header.fail(f"{what} has the data offset {offset}; {end} follows from the tensors before it")
        end = _pad(offset + nbytes, alignment)
        tensors[name] = TensorInfo(name, shape, kind, offset, nbytes)
    return tensors


def _read_shape(header: Header, what: str) -> tuple[int, ...]:
    n_dims = header.u32(what)
    if n_dims > 4:
        header.fail(f"{what} has {n_dims} dimensions; at most 4 are allowed")
    shape = struct.unpack(f"<{n_dims}Q", header.take(8 * n_dims, what))
    if 0 in shape or math.prod(shape) > MAX_ELEMENTS:
        header.fail(
            f"{what} has the shape {list(shape)}; dimensions are positive, their product is below 2**63"
        )
    return shape


def _storage(header: Header, code: int, shape: tuple[int, ...], what: str) -> tuple[str, int]:
    """Type name and size in bytes."""
    if code not in TENSOR_TYPES:
        header.fail(f"{what} has the unknown ggml type {code}")
    kind, block, block_bytes = TENSOR_TYPES[code]
    row = shape[0] if shape else 1
    if row % block:
        header.fail(f"{what} has rows of {row} elements; {kind} needs a multiple of {block}")
    return kind, math.prod(shape) // block * block_bytes


def _check_extents(header: Header, tensors: dict[str, TensorInfo]) -> None:
    whole = max((tensor.offset + tensor.nbytes for tensor in tensors.values()), default=0)
    for tensor in tensors.values():
        end = tensor.offset + tensor.nbytes
        if end > header.size:
            header.fail(
                f"tensor {tensor.name!r} ends at byte {end}; the file has {header.size} of {whole} bytes, "
                f"so it is truncated: {unfinished(header.path)}"
            )


def _pad(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) // alignment * alignment
