"""A file of full length with zeros for weights: a download that made room and did not end."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf_parts import forge_of, split
from golden_pair import MMPROJ, TEXT

from hired_gguf import LlavaNext, VisionEncoder
from hired_gguf.errors import ModelFormatError
from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.model_files.unfilled import refuse_unfilled


def without(path: Path, target: Path, *names: str) -> Path:
    forge = forge_of(path)
    for name in names or list(forge.tensors)[len(forge.tensors) // 2 :]:
        del forge.contents[name]
    return forge.write(target)


@pytest.mark.parametrize("name", ["v.blk.2.ffn_up.weight", "mm.2.weight", "v.blk.0.attn_q.weight"])
def test_a_vision_file(name: str, tmp_path: Path) -> None:
    path = without(MMPROJ, tmp_path / "mmproj.gguf", name)
    for road in (lambda: VisionEncoder(path), lambda: LlavaNext(TEXT, path)):
        with pytest.raises(ModelFormatError, match=rf"mmproj\.gguf: the tensor '{name}' is zeros"):
            road()


def test_a_language_model_and_its_parts(tmp_path: Path) -> None:
    path = without(TEXT, tmp_path / "text.gguf")
    (tmp_path / "text.gguf.aria2").touch()
    with pytest.raises(ModelFormatError, match=r"is zeros.* text\.gguf\.aria2 lies beside it"):
        LlavaNext(path, MMPROJ)
    forge = forge_of(TEXT)
    del forge.contents["blk.1.ffn_down.weight"]
    with pytest.raises(
        ModelFormatError, match=r"-of-00003\.gguf: the tensor 'blk.1.ffn_down.weight' is zeros"
    ):
        LlavaNext(split(forge, tmp_path, "parts")[0], MMPROJ)


def test_what_may_be_zeros(tmp_path: Path) -> None:
    names = "mm.0.bias", "v.class_embd", "v.position_embd.weight", "v.blk.0.ln1.bias"
    refuse_unfilled(read_gguf(without(MMPROJ, tmp_path / "a.gguf", *names)))
    refuse_unfilled(read_gguf(without(TEXT, tmp_path / "b.gguf", "token_embd.weight")))


def test_the_golden_pair_is_filled() -> None:
    for path in (MMPROJ, TEXT):
        refuse_unfilled(read_gguf(path))
