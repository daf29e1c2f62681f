"""Sound vision files of other families are refused as such, and told what they are and what would serve."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf_forge import Forge, good_mmproj
from mmproj_forge import load, refuse
from vision_relatives import RELATIVES

from hired_gguf.errors import ModelFormatError, UnsupportedModelError


@pytest.mark.parametrize("name", RELATIVES)
def test_each_relative_is_named(name: str, tmp_path: Path) -> None:
    make, words = RELATIVES[name]
    refuse(
        make(), tmp_path, *words, "hired-gguf runs LLaVA-1.5", "llama-mtmd-cli", error=UnsupportedModelError
    )


@pytest.mark.parametrize("lost", ["v.class_embd", "v.pre_ln.weight", "mm.0.weight", "v.patch_embd.weight"])
def test_a_damaged_llava_file_is_no_relative(lost: str, forge: Forge, tmp_path: Path) -> None:
    del forge.tensors[lost]
    refuse(forge, tmp_path, f"'{lost}' is missing", error=ModelFormatError)


@pytest.mark.parametrize(("width", "layers", "run"), [(768, 12, 11), (1024, 24, 23), (1024, 23, 23)])
@pytest.mark.parametrize("stored", [None, [-1]])
def test_whole_towers_leave_their_last_layer_out(width, layers, run, stored, tmp_path: Path) -> None:
    forge = good_mmproj(D=width, layers=layers)
    if stored:
        forge.metadata["clip.vision.feature_layer"] = ("array[i32]", stored)
    assert load(forge, tmp_path).executed_layers == run
    forge.metadata["clip.vision.feature_layer"] = ("array[i32]", [layers])
    assert load(forge, tmp_path).executed_layers == layers
