"""The language model of a pair, and whether the two files belong together."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelMismatchError
from .gguf_fields import Fields
from .gguf_file import GGUFFile, fingerprint, read_gguf, weight_type
from .mmproj import MmprojInfo
from .splits import read_parts, refuse_part
from .text_checks import check_text, refuse_other_kinds


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
    """Read and check the header of a language model, of all parts of a split one; give the first.

    llama.cpp checks its own shapes and names. Raises FileNotFoundError, ModelMismatchError for a mmproj,
    UnsupportedModelError for a later part or another kind of file, ModelFormatError for anything else.
    """
    fields = Fields(read_gguf(path))
    refuse_part(fields)
    architecture = fields.architecture()
    if architecture == "clip":
        raise ModelMismatchError(
            f"{fields.file.path}: general.architecture is 'clip': this is a mmproj, not a language model. "
            "Are the two paths swapped?"
        )
    refuse_other_kinds(fields)
    width, context = f"{architecture}.embedding_length", f"{architecture}.context_length"
    optional = {"general.name": "str", "tokenizer.chat_template": "str"}
    blocks = f"{architecture}.block_count"
    fields.check_types({width: "u32", context: "u32", blocks: "u32", **optional})
    parts = read_parts(fields)
    info = TextModelInfo(
        path=fields.file.path,
        architecture=architecture,
        width=fields.count(width),
        context_length=fields.count(context),
        chat_template=fields.get("tokenizer.chat_template", str),
        name=fields.get("general.name", str),
        file_type=weight_type(parts),
    )
    check_text(fields, parts)
    return info


def read_model_parts(path: str | os.PathLike[str]) -> list[GGUFFile]:
    """All files of a language model: one, or those of a split one. Raises ModelFormatError."""
    return read_parts(Fields(read_gguf(path)))


def text_fingerprint(path: str | os.PathLike[str]) -> str:
    """`fingerprint` of a language model; of a split one, of all parts. Raises ModelFormatError."""
    digests = [fingerprint(part) for part in read_model_parts(path)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def check_pair(mmproj: MmprojInfo, text_width: int, text_path: str | os.PathLike[str]) -> None:
    """Raise ModelMismatchError unless the projector's rows fit the language model."""
    if mmproj.text_width != text_width:
        raise ModelMismatchError(
            f"{mmproj.path} projects to width {mmproj.text_width}, but {os.fspath(text_path)} "
            f"has width {text_width}: these files are not a pair"
        )
