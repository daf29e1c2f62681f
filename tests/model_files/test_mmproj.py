"""A good mmproj gives its facts, and damage ends in an error of ours."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from gguf_forge import Forge, damaged
from hypothesis import HealthCheck, given, settings
from mmproj_forge import GOLDEN, GOOD, V, load

from hired_gguf.errors import HiredError
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.pair import read_text_model

# Good files


def test_golden_mmproj() -> None:
    info = read_mmproj(GOLDEN / "mmproj-f32.gguf")
    assert (info.image_size, info.patch_size, info.side, info.tokens) == (56, 14, 4, 16)
    assert (info.width, info.feed_forward, info.heads, info.text_width) == (128, 256, 4, 128)
    assert (info.layers, info.feature_layer, info.executed_layers) == (3, None, 3)
    assert info.eps == pytest.approx(1e-5)
    assert info.mean == pytest.approx((0.48145466, 0.4578275, 0.40821073))
    assert info.std == pytest.approx((0.26862954, 0.26130258, 0.27577711))
    assert info.pinpoints == ((56, 112), (112, 56), (112, 112), (168, 56), (56, 168))
    assert (info.unpad, info.newline_name, info.use_gelu) == (True, "model.image_newline", False)
    assert (info.swapped_ffn, info.file_type, info.parameters) == (True, "F32", 508416)
    assert len(info.fingerprint) == 64


def test_forged_file(forge: Forge, tmp_path: Path) -> None:
    info = load(forge, tmp_path)
    assert (info.name, info.text_width, info.file_type, info.swapped_ffn) == ("small", 16, "F16", True)


def test_llava_1_5_has_no_tiling(forge: Forge, tmp_path: Path) -> None:
    del forge.metadata[V + "image_grid_pinpoints"], forge.metadata[V + "mm_patch_merge_type"]
    del forge.tensors["model.image_newline"]
    info = load(forge, tmp_path)
    assert (info.pinpoints, info.unpad, info.newline_name) == ((), False, None)


def test_fingerprints_differ(forge: Forge, tmp_path: Path) -> None:
    first = load(forge, tmp_path).fingerprint
    assert load(forge, tmp_path).fingerprint == first
    forge.metadata["general.name"] = ("str", "other")
    assert load(forge, tmp_path).fingerprint != first


# Random damage


@pytest.mark.slow
@settings(max_examples=1000, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=damaged(GOOD.header()))
def test_damaged_headers_parse_or_raise_our_error(header: bytes, tmp_path: Path) -> None:
    path = GOOD.write(tmp_path / "mmproj.gguf", header=header)
    for read in (read_mmproj, read_text_model):
        with suppress(HiredError):
            read(path)
