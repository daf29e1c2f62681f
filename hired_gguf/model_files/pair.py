"""The language model of a pair, and whether the two files belong together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelMismatchError
from .gguf_fields import Fields
from .gguf_file import read_gguf
from .mmproj import MmprojInfo


@dataclass(frozen=True)
class TextModelInfo:
    """What the header of a language model says."""

    path: Path
    architecture: str
    width: int
    context_length: int
    chat_template: str | None
    name: str | None
    file_type: str
    """The ggml type of most of the weights."""


def read_text_model(path: str | os.PathLike[str]) -> TextModelInfo:
    """Read the header of a language model; llama.cpp checks its tensors itself.

    Raises FileNotFoundError, ModelMismatchError for a mmproj, ModelFormatError for anything else.
    """
    fields = Fields(read_gguf(path))
    architecture = fields.architecture()
    if architecture == "clip":
        raise ModelMismatchError(
            f"{fields.file.path}: general.architecture is 'clip': this is a mmproj, not a language model. "
            "Are the two paths swapped?"
        )
    width, context = f"{architecture}.embedding_length", f"{architecture}.context_length"
    optional = {"general.name": "str", "tokenizer.chat_template": "str"}
    fields.check_types({width: "u32", context: "u32", **optional})
    return TextModelInfo(
        path=fields.file.path,
        architecture=architecture,
        width=fields.count(width),
        context_length=fields.count(context),
        chat_template=fields.get("tokenizer.chat_template", str),
        name=fields.get("general.name", str),
        file_type=fields.file.weight_type,
    )


def check_pair(mmproj: MmprojInfo, text_width: int, text_path: str | os.PathLike[str]) -> None:
    """Raise ModelMismatchError unless the projector's rows fit the language model."""
    if mmproj.text_width != text_width:
        raise ModelMismatchError(
            f"{mmproj.path} projects to width {mmproj.text_width}, but {os.fspath(text_path)} "
            f"has width {text_width}: these files are not a pair"
        )
