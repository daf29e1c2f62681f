"""A mmproj file with its matrices in another type, everything else as it was."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any, BinaryIO, Final

import gguf
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, NumericError
from ..files import given_path, naming, replacing
from ..progress import Progress
from .gguf_copy import BLOCKS, new_header, padding, plan_tensors
from .gguf_file import GGUFFile, TensorInfo, read_gguf
from .mmproj import Mmproj, read_mmproj
from .mmproj_tensors import BLOCK, FFN, MATRIX, PROJECTOR

#: What the matrices can be turned into, with llama.cpp's number for a file of it (general.file_type).
TYPES: Final = {"F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q4_0": 2, "Q4_1": 3, "Q5_0": 8, "Q5_1": 9}
EXACT: Final = ("F32", "F16", "BF16")
MAX_F16: Final = 65504.0
MATRICES: Final = {name for name, need in (BLOCK | FFN | PROJECTOR).items() if need.types == MATRIX}


def quantize_mmproj(
    source: Mmproj,
    target: str | os.PathLike[str],
    type: str = "Q8_0",
    *,
    force: bool = False,
    on_progress: Progress | None = None,
) -> Path:
    """Write ``source`` to ``target`` with its matrices in ``type``, one of `TYPES`, and return that path.

    Norms, biases, embeddings, newline row and metadata stay byte for byte, but for ``general.file_type`` and
    ``general.quantization_version``. Matrices whose rows no block divides become F16 (see `matrix_types`).
    Quality that a quantised source has lost does not come back. One tensor is in memory at a time; the file
    appears whole or not at all. ``on_progress`` gets "quantize", tensors done and their number.

    Raises InputError for a wrong type or place, FileExistsError unless ``force``, OSError where the disk is
    too small, NumericError for weights that the type cannot hold, and what `read_mmproj` raises.
    """
    number = TYPES[parse_type(type)]
    file = read_gguf(read_mmproj(source).path)
    path = Path(given_path(target))
    _check_target(file.path, path, force)
    tensors = plan_tensors(file, matrix_types(file, type))
    numbers = {"general.file_type": number, "general.quantization_version": int(gguf.GGML_QUANT_VERSION)}
    header = new_header(file, numbers, tensors)
    _check_space(path, len(header) + sum(t.nbytes + file.alignment for t in tensors))
    with replacing(path) as partial, open(file.path, "rb") as stream, open(partial, "wb") as out:
        out.write(header)
        for done, (old, new) in enumerate(zip(file.tensors.values(), tensors, strict=True)):
            if on_progress:
                on_progress("quantize", done, len(tensors))
            out.write(_convert(_read(stream, old, file.path), old, new.type, file.path).data)
            out.write(padding(new.nbytes, file.alignment))
    return path


def parse_type(type: str) -> str:
    """The type as `TYPES` spells it. Raises InputError."""
    if type.upper() not in TYPES:
        raise InputError(f"the type {type[:40]!r} cannot be made; allowed: {', '.join(TYPES)}")
    return type.upper()


def matrix_types(file: GGUFFile, type: str) -> dict[str, str]:
    """What type each matrix of a mmproj gets: F16 instead of ``type`` where no block divides its rows."""
    kind = parse_type(type)
    block = BLOCKS[kind][0]
    return {t.name: "F16" if t.shape[0] % block else kind for t in _matrices(file)}


def weight_types(file: GGUFFile) -> list[str]:
    """The types that the matrices of a mmproj have."""
    return sorted({tensor.type for tensor in _matrices(file)})


def _matrices(file: GGUFFile) -> list[TensorInfo]:
    return [t for t in file.tensors.values() if re.sub(r"^v\.blk\.\d+\.", "", t.name) in MATRICES]


def _check_target(source: Path, target: Path, force: bool) -> None:
    if not target.parent.is_dir():
        raise InputError(f"{target}: the folder {str(target.parent)!r} is not there")
    if target.exists() or target.is_symlink():
        if target.exists() and target.samefile(source):
            raise InputError(f"{target} is the source itself; give another name")
        if not target.is_file():
            raise InputError(f"{target} is there and is no regular file")
        if not force:
            raise FileExistsError(f"{target} is there already")


def _check_space(target: Path, nbytes: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if nbytes > free:
        raise OSError(f"{target} needs {nbytes / 2**20:.0f} MiB, but {free / 2**20:.0f} MiB are free there")


def _read(stream: BinaryIO, tensor: TensorInfo, path: Path) -> NDArray[np.uint8]:
    with naming(path, "read"):
        stream.seek(tensor.offset)
        data = stream.read(tensor.nbytes)
    if len(data) != tensor.nbytes:
        raise OSError(f"{path}: the file shrank while it was read")
    return np.frombuffer(data, np.uint8)


def _convert(data: NDArray[np.uint8], tensor: TensorInfo, kind: str, path: Path) -> NDArray[Any]:
    """A tensor's bytes in another type, as a contiguous array."""
    if kind == tensor.type:
        return data
    block, block_bytes = BLOCKS[tensor.type]
    rows = data.reshape(-1, tensor.shape[0] // block * block_bytes)
    values: NDArray[np.float32] = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType[tensor.type])
    most = np.abs(values).max()
    if not np.isfinite(most):
        raise NumericError(f"{path}: the tensor {tensor.name!r} has NaN or infinity")
    if most > MAX_F16 and kind not in ("F32", "BF16"):  # blocks have F16 scales
        raise NumericError(
            f"{path}: the tensor {tensor.name!r} has a weight of {most:g}, too large for {kind}"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # blocks of nearly nothing, which become zeros
        quantized: NDArray[Any] = gguf.quants.quantize(values, gguf.GGMLQuantizationType[kind])
    return np.ascontiguousarray(quantized)
