"""The trained modules as the two GGUF files, in float16."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, LlamaFileType
from numpy.typing import NDArray
from torch import nn

from hired_gguf.files import replacing
from hired_gguf.synthetic.metadata import add_mmproj, add_text
from hired_gguf.synthetic.shapes import Shape

from . import question_vocabulary
from .prompts import TEMPLATE
from .sizes import VISION

NAME = "hired-mini"
LICENSE = "MIT"
DESCRIPTION = (
    "LLaVA-Next in miniature, trained from scratch on drawn signs, figures and slips. See its model card."
)


def text_tensors(language: nn.Module) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield the Llama model's tensors; PyTorch's names are already those of the files."""
    for name, value in language.state_dict().items():
        yield name, value.numpy()


def mmproj_tensors(encoder: nn.Module, projector: nn.Module) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield tower, projector and newline; the last layer of the tower is left out."""
    for name, value in encoder.state_dict().items():
        if name.startswith(f"blk.{VISION.layers}."):
            continue
        plain = name in ("class_embd",)
        yield (
            f"v.{name}" if plain or name.endswith((".weight", ".bias")) else f"v.{name}.weight",
            value.numpy(),
        )
    for name, value in projector.state_dict().items():
        yield "model.image_newline" if name == "image_newline" else name.replace("mm_", "mm."), value.numpy()


def export(
    shape: Shape, language: nn.Module, encoder: nn.Module, projector: nn.Module, folder: Path
) -> tuple[Path, Path]:
    """Write both files. Matrices are float16, vectors float32."""
    text, mmproj = folder / f"text-{NAME}-f16.gguf", folder / f"mmproj-{NAME}-f16.gguf"

    def text_keys(writer: GGUFWriter) -> None:
        _general(writer, "text model")
        add_text(writer, shape.text, question_vocabulary.build(), TEMPLATE)

    def mmproj_keys(writer: GGUFWriter) -> None:
        _general(writer, "mmproj")
        add_mmproj(writer, shape)

    _write(text, "llama", text_keys, text_tensors(language))
    _write(mmproj, "clip", mmproj_keys, mmproj_tensors(encoder, projector))
    return text, mmproj


def _general(writer: GGUFWriter, what: str) -> None:
    writer.add_name(f"{NAME} {what}")
    writer.add_description(DESCRIPTION)
    writer.add_license(LICENSE)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)


def _write(
    path: Path,
    arch: str,
    add_keys: Callable[[GGUFWriter], None],
    tensors: Iterator[tuple[str, NDArray[np.float32]]],
) -> None:
    with replacing(path) as partial:
        writer = GGUFWriter(partial, arch)
        add_keys(writer)
        for name, value in tensors:
            writer.add_tensor(name, value.astype(np.float16) if value.ndim > 1 else value.astype(np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
