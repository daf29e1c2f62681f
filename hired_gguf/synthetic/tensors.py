"""The tensors of a LLaVA pair, named as in the well-known LLaVA-1.6 GGUF files, with their random scales.

A matrix has std ``gain / sqrt(fan_in)``, so that unit inputs give outputs of size ``gain``. Branches that end
in the residual stream are divided by ``sqrt(2 * layers)``. Queries and keys are larger: attention must be
peaked, or every partition and every image would look alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from math import prod, sqrt

from .shapes import Shape, TextShape, VisionShape
from .vocabulary import FIRST_PIECE

ATTENTION_GAIN = 1.6  # of queries and of keys: attention logits of std 2.6
EMBEDDING_STD = 0.5  # tokens, image features and the newline alike; below 1, so that context counts too
LOGIT_STD = 3.0
NOISE = 0.02  # of norms and biases


class Kind(Enum):
    """What decides a tensor's type in a quantised file."""

    MATRIX = "as the file"
    OUTPUT = "as the file, Q8_0 where the file is Q4_0"
    TABLE = "F16"
    VECTOR = "F32"


@dataclass(frozen=True)
class Tensor:
    """One tensor to fill; ``shape`` is in NumPy's order, [rows, columns]."""

    name: str
    shape: tuple[int, ...]
    std: float
    mean: float = 0.0
    kind: Kind = Kind.MATRIX
    zero_rows: int = 0

    @property
    def elements(self) -> int:
        """Number of values."""
        return prod(self.shape)


def matrix(name: str, rows: int, columns: int, gain: float = 1.0) -> Tensor:
    """Weight of a linear layer from ``columns`` inputs to ``rows`` outputs."""
    return Tensor(f"{name}.weight", (rows, columns), gain / sqrt(columns))


def vector(name: str, size: int, mean: float = 0.0, std: float = NOISE) -> Tensor:
    """A vector; those are always stored as F32."""
    return Tensor(name, (size,), std, mean, Kind.VECTOR)


def linear(name: str, rows: int, columns: int, gain: float = 1.0) -> Iterator[Tensor]:
    """Weight and bias."""
    yield matrix(name, rows, columns, gain)
    yield vector(f"{name}.bias", rows)


def layer_norm(name: str, width: int) -> Iterator[Tensor]:
    """Weight around 1 and bias around 0."""
    yield vector(f"{name}.weight", width, mean=1.0)
    yield vector(f"{name}.bias", width)


def text_tensors(shape: TextShape) -> Iterator[Tensor]:
    """The Llama model's tensors."""
    width, ff, residual = shape.width, shape.feed_forward, 1 / sqrt(2 * shape.layers)
    yield Tensor("token_embd.weight", (shape.vocabulary, width), EMBEDDING_STD)
    yield vector("output_norm.weight", width, mean=1.0)
    # Special and byte tokens get logit 0, far below the best word: greedy decoding never ends early.
    std = LOGIT_STD / sqrt(width)
    yield Tensor("output.weight", (shape.vocabulary, width), std, 0.0, Kind.OUTPUT, zero_rows=FIRST_PIECE)
    for i in range(shape.layers):
        yield matrix(f"blk.{i}.attn_q", width, width, ATTENTION_GAIN)
        yield matrix(f"blk.{i}.attn_k", width, width, ATTENTION_GAIN)
        yield matrix(f"blk.{i}.attn_v", width, width)
        yield matrix(f"blk.{i}.attn_output", width, width, residual)
        yield matrix(f"blk.{i}.ffn_gate", ff, width)
        yield matrix(f"blk.{i}.ffn_up", ff, width)
        yield matrix(f"blk.{i}.ffn_down", width, ff, residual)
        yield vector(f"blk.{i}.attn_norm.weight", width, mean=1.0)
        yield vector(f"blk.{i}.ffn_norm.weight", width, mean=1.0)


def vision_tensors(shape: VisionShape) -> Iterator[Tensor]:
    """The CLIP tower's tensors; ``ffn_down`` is the layer that widens, as in those files."""
    width, ff, patch, residual = shape.width, shape.feed_forward, shape.patch_size, 1 / sqrt(2 * shape.layers)
    yield vector("v.class_embd", width, std=1.0)
    pixels = 3 * patch * patch
    yield Tensor("v.patch_embd.weight", (width, 3, patch, patch), 1 / sqrt(pixels), kind=Kind.TABLE)
    yield Tensor("v.position_embd.weight", (shape.tokens + 1, width), 0.2, kind=Kind.TABLE)
    yield from layer_norm("v.pre_ln", width)
    for i in range(shape.layers):
        yield from linear(f"v.blk.{i}.attn_q", width, width, ATTENTION_GAIN)
        yield from linear(f"v.blk.{i}.attn_k", width, width, ATTENTION_GAIN)
        yield from linear(f"v.blk.{i}.attn_v", width, width)
        yield from linear(f"v.blk.{i}.attn_out", width, width, residual)
        yield from layer_norm(f"v.blk.{i}.ln1", width)
        yield from layer_norm(f"v.blk.{i}.ln2", width)
        yield from linear(f"v.blk.{i}.ffn_down", ff, width)
        yield from linear(f"v.blk.{i}.ffn_up", width, ff, residual)


def mmproj_tensors(shape: Shape) -> Iterator[Tensor]:
    """The vision tower, the projector, and the newline if the model has one."""
    width = shape.text.width
    yield from vision_tensors(shape.vision)
    yield from linear("mm.0", width, shape.vision.width)
    yield from linear("mm.2", width, width, EMBEDDING_STD)
    if shape.anyres:
        yield vector("model.image_newline", width, std=EMBEDDING_STD)
