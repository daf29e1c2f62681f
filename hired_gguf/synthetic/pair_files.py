"""The two files of a synthetic pair: their names, types and sizes."""

from __future__ import annotations

import os
from pathlib import Path

from gguf import GGMLQuantizationType

from .random_gguf import data_bytes
from .shapes import shape_of
from .tensors import mmproj_tensors, text_tensors


def pair_paths(
    shape: str,
    folder: str | os.PathLike[str],
    quant: str,
    mmproj_quant: str | None = None,
    layers: int | None = None,
) -> tuple[Path, Path]:
    """Where `synthesize` puts a pair; the mmproj is `usual_mmproj_quant` unless ``mmproj_quant`` is given."""
    mmproj_quant = mmproj_quant or usual_mmproj_quant(quant)
    cut = "" if layers is None else f"-{layers}-layers"
    text, mmproj = f"text-{shape}{cut}-{quant}.gguf", f"mmproj-{shape}-{mmproj_quant}.gguf"
    return Path(folder) / text, Path(folder) / mmproj


def usual_mmproj_quant(quant: str) -> str:
    """F16 beside a quantised text model, as published pairs are, else the text model's type."""
    return "f16" if quant.startswith("q") else quant


def ggml_type(quant: str) -> GGMLQuantizationType:
    """GGML's number for the type of a file's matrices."""
    return GGMLQuantizationType[quant.upper()]


def pair_bytes(shape: str, quant: str, layers: int | None = None) -> int:
    """Bytes of all weights of a pair, which are nearly all of its two files."""
    model = shape_of(shape, layers)
    text = data_bytes(text_tensors(model.text), ggml_type(quant))
    return text + data_bytes(mmproj_tensors(model), ggml_type(usual_mmproj_quant(quant)))
