"""The tensors of a LLaVA vision file: CLIP tower, two-layer projector, newline row, and nothing else.

Shapes are spelled in letters, in ggml's order (row length first), and checked exactly: ggml would broadcast a
bias of length 1, and abort on most other mistakes only when the first image comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, NoReturn

from ..errors import ModelFormatError
from .gguf_file import GGUFFile, TensorInfo

SIZES_BY_LETTER: Final = {
    "C": "3 colours",
    "D": "clip.vision.embedding_length",
    "F": "clip.vision.feed_forward_length",
    "P": "clip.vision.patch_size",
    "R": "patches + 1 CLS row",
    "T": "rows of mm.2.weight",
    "X": "rows of mm.0.weight",
}

# What ggml takes at each place: biases, norms and CLS enter F32 sums as they are; rows of a patch are too
# short for blocks; matrix products exist for every type that converters and quantizers write. The position
# table and the newline row are made F32 first, from any of those: llama.cpp's quantizer of 2024 packed them.
VECTOR: Final = ("F32",)
PATCHES: Final = ("F32", "F16", "BF16")
MATRIX: Final = (
    "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1",
    "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS",
)  # fmt: skip
TABLE: Final = MATRIX


class Need(NamedTuple):
    """Shape in letters and the types allowed."""

    shape: str
    types: tuple[str, ...]


def _layer(name: str, shape: str) -> dict[str, Need]:
    """A matrix or norm with its bias."""
    weight = Need(shape, MATRIX if len(shape) > 1 else VECTOR)
    return {f"{name}.weight": weight, f"{name}.bias": Need(shape[-1], VECTOR)}


TOWER: Final = {
    "v.class_embd": Need("D", VECTOR),
    "v.patch_embd.weight": Need("PPCD", PATCHES),
    "v.position_embd.weight": Need("DR", TABLE),
    **_layer("v.pre_ln", "D"),
}
BLOCK: Final = {
    **_layer("ln1", "D"),
    **_layer("attn_q", "DD"),
    **_layer("attn_k", "DD"),
    **_layer("attn_v", "DD"),
    **_layer("attn_out", "DD"),
    **_layer("ln2", "D"),
}
FFN: Final = {**_layer("ffn_up", "DF"), **_layer("ffn_down", "FD")}
SWAPPED_FFN: Final = {**_layer("ffn_down", "DF"), **_layer("ffn_up", "FD")}  # legacy converters' names
PROJECTOR: Final = {**_layer("mm.0", "DX"), **_layer("mm.2", "XT")}
NEWLINES: Final = ("model.image_newline", "v.image_newline")  # the well-known files' name first
# Either name of the newline row; the norm after CLIP's last layer, which LLaVA's features do not pass.
OPTIONAL: Final = {**dict.fromkeys(NEWLINES, Need("T", TABLE)), **_layer("v.post_ln", "D")}


class Found(NamedTuple):
    """What the tensors say that the metadata does not."""

    text_width: int
    swapped_ffn: bool
    newline_name: str | None


def read_tensors(file: GGUFFile, layers: int, sizes: Mapping[str, int]) -> Found:
    """What the tensors say, held against the tables above; ``sizes`` gives the letters C, D, F, P and R."""
    tensors = file.tensors
    _check_blocks(file, layers)
    up_first = tensors.get("v.blk.0.ffn_down.weight")
    swapped = up_first is not None and up_first.shape[:1] == (sizes["D"],)
    needs = _needs(layers, swapped)
    for name in needs:
        if name not in tensors and name not in OPTIONAL:
            _fail(file, f"the tensor {name!r} is missing")
    for name in tensors:
        if name not in needs:
            _fail(file, f"the tensor {name!r} does not belong in a LLaVA vision file")
    known = {**sizes, "X": _rows(tensors["mm.0.weight"]), "T": _rows(tensors["mm.2.weight"])}
    for name, tensor in tensors.items():
        _check_tensor(file, tensor, needs[name], known)
    return Found(known["T"], swapped, next((name for name in NEWLINES if name in tensors), None))


def _needs(layers: int, swapped: bool) -> dict[str, Need]:
    block = BLOCK | (SWAPPED_FFN if swapped else FFN)
    blocks = {f"v.blk.{layer}.{name}": need for layer in range(layers) for name, need in block.items()}
    return TOWER | blocks | PROJECTOR | OPTIONAL


def _check_blocks(file: GGUFFile, layers: int) -> None:
    """Compare counts before any list of ``layers`` items is made: the number may be in the millions."""
    matches = (re.match(r"v\.blk\.(\d{1,9})\.", name) for name in file.tensors)
    present = {int(match[1]) for match in matches if match}
    if present != set(range(min(layers, len(present) + 1))):
        _fail(
            file,
            f"clip.vision.block_count is {layers}, but the tensors 'v.blk.N' "
            f"have {len(present)} different N from {min(present, default=0)} to {max(present, default=0)}",
        )


def _check_tensor(file: GGUFFile, tensor: TensorInfo, need: Need, sizes: Mapping[str, int]) -> None:
    shape = tuple(sizes[letter] for letter in need.shape)
    if _trim(tensor.shape) != _trim(shape):
        meaning = ", ".join(SIZES_BY_LETTER[letter] for letter in need.shape)
        _fail(
            file,
            f"the tensor {tensor.name!r} has the shape {list(tensor.shape)}, not {list(shape)} = [{meaning}]",
        )
    if tensor.type not in need.types:
        _fail(file, f"the tensor {tensor.name!r} has the type {tensor.type}; {_either(need.types)} is needed")


def _rows(tensor: TensorInfo) -> int:
    return tensor.shape[1] if len(tensor.shape) > 1 else 1


def _trim(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Drop trailing dimensions of 1: ggml does not tell [D] from [D, 1]."""
    return _trim(shape[:-1]) if shape and shape[-1] == 1 else shape


def _either(types: tuple[str, ...]) -> str:
    return types[0] if len(types) == 1 else f"{', '.join(types[:-1])} or {types[-1]}"


def _fail(file: GGUFFile, problem: str) -> NoReturn:
    raise ModelFormatError(f"{file.path}: {problem}")
