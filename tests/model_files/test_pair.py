"""The language model of a pair, and whether two files belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gguf_forge import good_text
from mmproj_forge import GOLDEN, GOOD, load

from hired_gguf.errors import ModelFormatError, ModelMismatchError
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.pair import TextModelInfo, check_pair, read_text_model


def test_golden_text_model() -> None:
    info = read_text_model(GOLDEN / "text-f32.gguf")
    assert info == TextModelInfo(GOLDEN / "text-f32.gguf", "llama", 128, 4096, None, None, "F32")


def test_swapped_paths(tmp_path: Path) -> None:
    text, mmproj = good_text().write(tmp_path / "text.gguf"), GOOD.write(tmp_path / "mmproj.gguf")
    with pytest.raises(ModelMismatchError, match=r"text\.gguf.*'llama': this is a language model.*swapped"):
        read_mmproj(text)
    with pytest.raises(ModelMismatchError, match=r"mmproj\.gguf.*this is a mmproj.*swapped"):
        read_text_model(mmproj)


def test_pair_of_different_widths(tmp_path: Path) -> None:
    info = load(GOOD, tmp_path)
    check_pair(info, 16, "text.gguf")
    with pytest.raises(
        ModelMismatchError, match=r"mmproj\.gguf projects to width 16, but text\.gguf has width 17"
    ):
        check_pair(info, 17, "text.gguf")


@pytest.mark.parametrize(
    ("key", "typed", "problem"),
    [
        ("general.architecture", None, "general.architecture is missing"),
        ("general.architecture", ("u32", 1), "has the type u32"),
        ("llama.embedding_length", None, "llama.embedding_length is missing"),
        ("llama.embedding_length", ("u64", 32), "has the type u64"),
        ("llama.embedding_length", ("u32", 0), "is 0"),
        ("llama.context_length", None, "llama.context_length is missing"),
        ("llama.context_length", ("u32", 2**31), "is 2147483648"),
        ("tokenizer.chat_template", ("u32", 1), "has the type u32"),
        ("tokenizer.chat_template", ("str", b"\xff"), "UTF-8"),
    ],
)
def test_bad_text_models(key: str, typed: tuple[str, Any] | None, problem: str, tmp_path: Path) -> None:
    forge = good_text()
    if typed is None:
        del forge.metadata[key]
    else:
        forge.metadata[key] = typed
    path = forge.write(tmp_path / "text.gguf")
    with pytest.raises(ModelFormatError) as caught:
        read_text_model(path)
    for word in ("text.gguf", key, problem):
        assert word in str(caught.value)
