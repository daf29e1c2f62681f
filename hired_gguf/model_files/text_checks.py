"""What in a sound-looking language model would end the process at its first prompt, or answer nonsense.

llama.cpp checks shapes and names at load. It believes numbers and types, and aborts when it meets them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from ..errors import ModelFormatError
from .gguf_fields import Fields
from .gguf_file import GGUFFile, TensorInfo
from .gguf_values import Skipped, read_strings

MAX_EPS: Final = 0.1
MAX_CONTEXT: Final = 1 << 26  # llama-cpp-python makes room for so many tokens at each text
MAX_TOKENS: Final = 1 << 20
MAX_LAYERS: Final = 512  # llama.cpp asserts it
NO_WEIGHT: Final = ("I8", "I16", "I64", "F64", "Q8_1", "Q8_K")  # ggml multiplies by none of these
ID_TABLES: Final = ("tid2eid.weight",)  # of DeepSeek 4, in I32
UTF_8: Final = (*range(0xC0), *range(0xC2, 0xF5))  # bytes that texts have
NOT_TEXT: Final = {
    "adapter": "a LoRA adapter; give the model that it was made for",
    "imatrix": "an importance matrix, which is for quantizing",
    "vocab": "a vocabulary without a model",
    "mmproj": "a vision file; are the two paths swapped?",
}
NOT_ANSWERING: Final = {
    **dict.fromkeys(
        ("bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "neo-bert", "modern-bert",
         "eurobert", "t5", "t5encoder", "whisper", "llama-embed", "gemma-embedding"), "an encoder"),
    **dict.fromkeys(("dream", "llada", "llada-moe"), "a diffusion model"),
}  # fmt: skip


def refuse_other_kinds(fields: Fields) -> None:
    """Raise UnsupportedModelError for a sound file that holds no language model that answers."""
    fields.check_types({"general.type": "str"})
    kind = fields.get("general.type", str) or "model"
    if kind in NOT_TEXT:
        fields.unsupported("general.type", f"is {kind!r}: {NOT_TEXT[kind]}")
    key = "general.architecture"
    architecture = fields.need(key, str)
    if architecture in NOT_ANSWERING:
        fields.unsupported(key, f"is {architecture!r}, {NOT_ANSWERING[architecture]}: it writes no answers")
    if f"{architecture}.rope.dimension_sections" in fields.file.metadata:
        fields.unsupported(
            f"{architecture}.rope.dimension_sections", "is there: M-RoPE positions, which no LLaVA model has"
        )
    if any(name.startswith(("v.", "mm.")) for name in fields.file.tensors):
        fields.unsupported(
            key,
            f"is {architecture!r}, with the vision tower in the same file, as for Ollama's own engine: give "
            "two files, the language model and its mmproj",
        )
    if not fields.file.tensors and "split.count" not in fields.file.metadata:
        fields.unsupported(key, f"is {architecture!r}, without a tensor: a vocabulary without a model")


def check_text(fields: Fields, parts: Iterable[GGUFFile]) -> None:
    """Raise ModelFormatError for numbers, tensor types or a vocabulary that llama.cpp would die of."""
    _check_numbers(fields, fields.architecture())
    for part in parts:
        for tensor in part.tensors.values():
            _check_tensor(part, tensor)
    _check_vocabulary(fields)


def _check_numbers(fields: Fields, architecture: str) -> None:
    for key, value in fields.file.metadata.items():
        if not isinstance(value, float) or not key.startswith(f"{architecture}."):
            continue
        if not math.isfinite(value):
            fields.fail(key, f"is {value}; a finite number is needed")
        if key.endswith("epsilon") and not 0 <= value <= MAX_EPS:
            fields.fail(key, f"is {value}; 0 to {MAX_EPS} is allowed")
        if key.endswith("rope.freq_base") and value <= 0:
            fields.fail(key, f"is {value}; more than 0 is needed")
    fields.count(f"{architecture}.context_length", MAX_CONTEXT)
    fields.count(f"{architecture}.block_count", MAX_LAYERS)


def _check_tensor(file: GGUFFile, tensor: TensorInfo) -> None:
    what = f"{file.path}: the tensor {tensor.name!r} has the type {tensor.type}"
    if tensor.type != "F32" and tensor.name.endswith((".bias", "norm.weight")):
        raise ModelFormatError(f"{what}; F32 is needed")
    if tensor.type in NO_WEIGHT or (tensor.type == "I32" and not tensor.name.endswith(ID_TABLES)):
        raise ModelFormatError(f"{what}, which no weights have")


def _check_vocabulary(fields: Fields) -> None:
    """No token twice, which llama.cpp asserts; where it falls back to bytes, a token for each of UTF-8."""
    fields.check_types({"tokenizer.ggml.model": "str"})
    kind = fields.need("tokenizer.ggml.model", str)
    if kind in ("none", "no_vocab", "bert"):
        fields.fail("tokenizer.ggml.model", f"is {kind!r}: a model that answers has another vocabulary")
    key = "tokenizer.ggml.tokens"
    found = fields.file.metadata.get(key)
    if not isinstance(found, Skipped) or fields.file.types[key] != "array[str]":
        fields.fail(key, "is missing or no array of strings")
    if not 1 <= found.length <= MAX_TOKENS:
        fields.fail(key, f"has {found.length} tokens; 1 to {MAX_TOKENS} are allowed")
    tokens: set[bytes] = set()
    for index, token in enumerate(read_strings(fields.file.path, found, key)):
        if token and token in tokens:
            fields.fail(key, f"has {token[:40]!r} twice, the second time as token {index}")
        tokens.add(token)
    if kind != "llama":
        return
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        if key not in fields.file.metadata:  # llama.cpp takes zeros, and another text comes out
            fields.fail(key, "is missing")
    _check_bytes(fields, tokens)


def _check_bytes(fields: Fields, tokens: set[bytes]) -> None:
    missing = [n for n in UTF_8 if b"<0x%02X>" % n not in tokens and bytes([n]) not in tokens]
    if missing:
        fields.fail(
            "tokenizer.ggml.tokens",
            f"lacks {len(missing)} byte tokens, such as '<0x{missing[0]:02X}>': a text that other tokens do "
            "not spell would end the process",
        )
