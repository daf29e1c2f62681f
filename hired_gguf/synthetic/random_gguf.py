"""Random tensors in GGML's formats, streamed into a GGUF file one at a time.

Quantised blocks are drawn directly: a constant scale, and numbers from a bell-shaped table of integer levels.
That is ten times as fast as quantising normal floats, and its mean is exactly zero (uniform Q4_0 nibbles have
mean -0.5, which a deep network would amplify).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import NormalDist
from zlib import crc32

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from numpy.typing import NDArray

from ..files import replacing
from ..progress import Progress
from .tensors import Kind, Tensor

F32, F16 = GGMLQuantizationType.F32, GGMLQuantizationType.F16
Q8_0, Q4_0 = GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_0


def bell(count: int, top: int) -> NDArray[np.int8]:
    """``count`` integer levels from -top to top, spaced like equally likely draws of a normal."""
    quantiles = np.array([NormalDist().inv_cdf((i + 0.5) / count) for i in range(count)])
    levels: NDArray[np.int8] = np.rint(quantiles / quantiles[-1] * top).astype(np.int8)
    return levels


BYTE_LEVELS = bell(256, 127)
NIBBLE_LEVELS = bell(16, 7)
NIBBLES = (NIBBLE_LEVELS + 8).astype(np.uint8)
NIBBLE_PAIRS = (NIBBLES[:, None] << 4 | NIBBLES).ravel()  # Q4_0 stores level + 8, two in a byte


def tensor_type(kind: Kind, quant: GGMLQuantizationType) -> GGMLQuantizationType:
    """The type that a tensor has in a file of type ``quant``."""
    if kind is Kind.VECTOR or quant is F32:
        return F32
    if kind is Kind.TABLE:
        return F16
    return Q8_0 if kind is Kind.OUTPUT and quant is Q4_0 else quant


def random_blocks(
    rng: np.random.Generator, count: int, std: float, kind: GGMLQuantizationType
) -> NDArray[np.uint8]:
    """``count`` quantised blocks as bytes [count, block bytes]: an F16 scale, then the levels."""
    levels, table = (
        (NIBBLE_LEVELS, NIBBLE_PAIRS) if kind is Q4_0 else (BYTE_LEVELS, BYTE_LEVELS.view(np.uint8))
    )
    blocks = np.empty((count, GGML_QUANT_SIZES[kind][1]), np.uint8)
    payload = blocks.shape[1] - 2
    blocks[:, :2] = np.array([std / np.std(levels)], np.float16).view(np.uint8)
    blocks[:, 2:] = table[np.frombuffer(rng.bytes(count * payload), np.uint8)].reshape(count, payload)
    return blocks


def random_tensor(tensor: Tensor, kind: GGMLQuantizationType, seed: int) -> NDArray[np.generic]:
    """A tensor's data; its values depend on seed, name and type only."""
    rng = np.random.default_rng([seed, crc32(tensor.name.encode())])
    values: NDArray[np.generic]
    if kind in (F32, F16):
        floats = rng.standard_normal(tensor.shape, np.float32)
        floats *= np.float32(tensor.std)
        floats += np.float32(tensor.mean)
        values = floats if kind is F32 else floats.astype(np.float16)
    else:
        block = GGML_QUANT_SIZES[kind][0]
        values = random_blocks(rng, tensor.elements // block, tensor.std, kind).reshape(tensor.shape[0], -1)
    values[: tensor.zero_rows] = 0  # all formats write zero as zero bytes
    return values


def data_bytes(tensors: Iterable[Tensor], quant: GGMLQuantizationType) -> int:
    """Bytes of these tensors' data in a file of type ``quant``."""
    return sum(_nbytes(tensor, tensor_type(tensor.kind, quant)) for tensor in tensors)


def write_gguf(
    path: Path,
    arch: str,
    add_metadata: Callable[[GGUFWriter], None],
    tensors: Sequence[Tensor],
    *,
    quant: GGMLQuantizationType,
    seed: int,
    on_progress: Progress | None = None,
) -> None:
    """Write one file; ``on_progress`` gets its name, values written and their number, after each tensor."""
    with replacing(path) as partial:
        writer = GGUFWriter(partial, arch)
        try:
            add_metadata(writer)
            _write_header(writer, tensors, quant)
            done, total = 0, sum(tensor.elements for tensor in tensors)
            for tensor in tensors:
                writer.write_tensor_data(random_tensor(tensor, tensor_type(tensor.kind, quant), seed))
                done += tensor.elements
                if on_progress:
                    on_progress(path.name, done, total)
        finally:
            writer.close()


def _write_header(writer: GGUFWriter, tensors: Sequence[Tensor], quant: GGMLQuantizationType) -> None:
    """All that comes before the data."""
    for tensor in tensors:
        kind = tensor_type(tensor.kind, quant)
        writer.add_tensor_info(
            tensor.name, tensor.shape, np.dtype(np.float32), _nbytes(tensor, kind), raw_dtype=kind
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()


def _nbytes(tensor: Tensor, kind: GGMLQuantizationType) -> int:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return int(tensor.elements // block * block_bytes)
