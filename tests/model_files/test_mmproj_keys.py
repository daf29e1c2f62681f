"""What the metadata of a mmproj may say: each spoiled key is refused by name."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
from gguf_forge import Forge, good_mmproj
from mmproj_forge import GOOD, V, load, refuse

from hired_gguf.errors import UnsupportedModelError
from hired_gguf.model_files.mmproj_keys import KEY_TYPES

OPTIONAL_KEYS = {
    "general.name", "general.description", "general.file_type", "clip.has_text_encoder",
    "clip.has_llava_projector", "clip.projector_type", "clip.use_gelu",
    V + "image_grid_pinpoints", V + "mm_patch_merge_type",
}  # fmt: skip


def test_oldest_files_name_no_projector(forge: Forge, tmp_path: Path) -> None:
    del forge.metadata["clip.projector_type"]
    load(forge, tmp_path)
    del forge.metadata["clip.has_llava_projector"]
    refuse(forge, tmp_path, "clip.projector_type is missing")
    forge.metadata[V + "projector_type"] = ("str", "mlp")
    load(forge, tmp_path)


def test_ffn_of_the_same_width_cannot_be_told(tmp_path: Path) -> None:
    refuse(good_mmproj(F=32), tmp_path, "feed_forward_length is 32, the same as clip.vision.embedding_length")


@pytest.mark.parametrize(("stored", "chosen"), [([1], 1), ([2], 2), ([2, -1], 2), ([-1], None), ([], None)])
def test_feature_layer(stored: list[int], chosen: int | None, forge: Forge, tmp_path: Path) -> None:
    forge.metadata[V + "feature_layer"] = ("array[i32]", stored)
    info = load(forge, tmp_path)
    assert (info.feature_layer, info.executed_layers) == (chosen, chosen or 2)


@pytest.mark.parametrize(
    ("key", "content"),
    [
        *[
            ("clip.projector_type", name)
            for name in ("gemma3", "ldp", "ldpv2", "resampler", "nonsense", "MLP")
        ],
        ("clip.has_audio_encoder", True),
        ("clip.has_gen_audio_encoder", True),
        ("clip.has_vision_encoder", False),
        ("clip.use_silu", True),
        (V + "mm_patch_merge_type", "spatial"),
    ],
)
def test_unsupported_kinds(key: str, content: Any, forge: Forge, tmp_path: Path) -> None:
    forge.metadata[key] = (KEY_TYPES[key], content)
    refuse(forge, tmp_path, key, str(content) if KEY_TYPES[key] == "str" else "", error=UnsupportedModelError)


def test_several_feature_layers(forge: Forge, tmp_path: Path) -> None:
    forge.metadata[V + "feature_layer"] = ("array[i32]", [1, 2])
    refuse(forge, tmp_path, V + "feature_layer has 2 layers", error=UnsupportedModelError)


@pytest.mark.parametrize("key", sorted(GOOD.metadata.keys() - OPTIONAL_KEYS))
def test_required_keys(key: str, forge: Forge, tmp_path: Path) -> None:
    del forge.metadata[key]
    refuse(forge, tmp_path, f"{key} is missing")


@pytest.mark.parametrize("key", sorted(OPTIONAL_KEYS))
def test_optional_keys(key: str, forge: Forge, tmp_path: Path) -> None:
    del forge.metadata[key]
    load(forge, tmp_path)


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("key", "content"),
    [
        *[(V + "image_size", n) for n in (0, 9, 8192, 8196, 2**31, 2**32 - 1)],
        *[(V + "patch_size", n) for n in (0, 3, 9, 2**31)],
        *[(V + "attention.head_count", n) for n in (0, 5, 33, 2**31)],
        (V + "attention.head_count_kv", 2),
        (V + "attention.head_dim", 4),
        *[(V + "embedding_length", n) for n in (0, 2**31)],
        *[(V + "feed_forward_length", n) for n in (0, 2**31)],
        *[(V + "block_count", n) for n in (0, 1, 3, 200_000_000, 2**31 - 1, 2**31)],
        (V + "projection_dim", 2**31),
        ("clip.minicpmv_query_num", 2**31),
        *[(V + "attention.layer_norm_epsilon", x) for x in (-1.0, 0.0, NAN, INF, 1e30, 0.02)],
        *[(V + "image_mean", x) for x in ([], [0.5] * 2, [0.5] * 4, [0.5, 0.5, NAN], [INF, 0.5, 0.5])],
        *[(V + "image_std", x) for x in ([0.5] * 2, [0.5] * 4, [0.5, 0.5, 0.0], [-1.0, 1.0, 1.0])],
        *[(V + "image_std", [x] * 3) for x in (NAN, INF)],
        *[(V + "image_grid_pinpoints", x) for x in ([8], [8, 8, 8], [0, 8], [8, -8], [8, 12], [7, 8])],
        *[(V + "image_grid_pinpoints", x) for x in ([8192] * 2, [65536] * 2, [8, 520], [8] * 130)],
        (V + "image_grid_pinpoints", [8] * 100_000),
        *[(V + "feature_layer", x) for x in ([0], [3], [-2], [-5])],
    ],
)  # fmt: skip
def test_values_out_of_range(key: str, content: Any, forge: Forge, tmp_path: Path) -> None:
    forge.metadata[key] = (KEY_TYPES[key], content)
    start = time.process_time()
    refuse(forge, tmp_path, key)
    assert time.process_time() - start < 1


def test_long_strings_are_cut_in_messages(forge: Forge, tmp_path: Path) -> None:
    forge.metadata["clip.projector_type"] = ("str", "p" * 100_000)
    with pytest.raises(UnsupportedModelError) as caught:
        load(forge, tmp_path)
    assert len(str(caught.value)) < 400
    forge.metadata["clip.projector_type"] = ("str", "p" * 300_000)
    refuse(forge, tmp_path, "clip.projector_type has the length 300000")
