"""The checks of a LLaVA pair: a good file gives its facts, each spoiled thing is refused by name."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gguf_forge import KINDS, TYPES, Forge, Tensor, damaged, good_mmproj, good_text
from hypothesis import HealthCheck, given, settings
from paths import GOLDEN_FOLDER

from hired_gguf.errors import HiredError, ModelFormatError, ModelMismatchError, UnsupportedModelError
from hired_gguf.model_files.mmproj import MmprojInfo, read_mmproj
from hired_gguf.model_files.mmproj_keys import KEY_TYPES
from hired_gguf.model_files.pair import TextModelInfo, check_pair, read_text_model

GOLDEN = GOLDEN_FOLDER / "hf_tiny"
V = "clip.vision."
GOOD = good_mmproj()
OPTIONAL_KEYS = {
    "general.name", "general.description", "general.file_type", "clip.has_text_encoder",
    "clip.has_llava_projector", "clip.projector_type", "clip.use_gelu",
    V + "image_grid_pinpoints", V + "mm_patch_merge_type",
}  # fmt: skip


@pytest.fixture
def forge() -> Forge:
    return GOOD.copy()


def load(forge: Forge, folder: Path) -> MmprojInfo:
    return read_mmproj(forge.write(folder / "mmproj.gguf"))


def refuse(forge: Forge, folder: Path, *words: str, error: type[HiredError] = ModelFormatError) -> None:
    """Refused with exactly this type, and a message that has the file's name and all the words."""
    with pytest.raises(error) as caught:
        load(forge, folder)
    assert caught.type is error
    for word in ("mmproj.gguf", *words):
        assert word in str(caught.value)


# --- good files ---


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


def test_golden_text_model() -> None:
    info = read_text_model(GOLDEN / "text-f32.gguf")
    assert info == TextModelInfo(GOLDEN / "text-f32.gguf", "llama", 128, 4096, None, None, "F32")


def test_forged_file(forge: Forge, tmp_path: Path) -> None:
    info = load(forge, tmp_path)
    assert (info.name, info.text_width, info.file_type, info.swapped_ffn) == ("small", 16, "F16", True)


def test_llava_1_5_has_no_tiling(forge: Forge, tmp_path: Path) -> None:
    del forge.metadata[V + "image_grid_pinpoints"], forge.metadata[V + "mm_patch_merge_type"]
    del forge.tensors["model.image_newline"]
    info = load(forge, tmp_path)
    assert (info.pinpoints, info.unpad, info.newline_name) == ((), False, None)


def test_oldest_files_name_no_projector(forge: Forge, tmp_path: Path) -> None:
    del forge.metadata["clip.projector_type"]
    load(forge, tmp_path)
    del forge.metadata["clip.has_llava_projector"]
    refuse(forge, tmp_path, "clip.projector_type is missing")
    forge.metadata[V + "projector_type"] = ("str", "mlp")
    load(forge, tmp_path)


def test_right_ffn_names(forge: Forge, tmp_path: Path) -> None:
    for layer in range(2):
        for part in ("weight", "bias"):
            up, down = f"v.blk.{layer}.ffn_up.{part}", f"v.blk.{layer}.ffn_down.{part}"
            forge.tensors[up], forge.tensors[down] = forge.tensors[down], forge.tensors[up]
    assert not load(forge, tmp_path).swapped_ffn


def test_ffn_names_must_not_change_between_layers(forge: Forge, tmp_path: Path) -> None:
    up, down = (f"v.blk.1.ffn_{part}.weight" for part in ("up", "down"))
    forge.tensors[up], forge.tensors[down] = forge.tensors[down], forge.tensors[up]
    refuse(forge, tmp_path, "'v.blk.1.ffn_", "[64, 32]", "[32, 64]")


def test_ffn_of_the_same_width_cannot_be_told(tmp_path: Path) -> None:
    refuse(good_mmproj(F=32), tmp_path, "feed_forward_length is 32, the same as clip.vision.embedding_length")


def test_both_newline_names(forge: Forge, tmp_path: Path) -> None:
    forge.tensors["v.image_newline"] = Tensor((16,), "F16")
    assert load(forge, tmp_path).newline_name == "model.image_newline"
    del forge.tensors["model.image_newline"]
    assert load(forge, tmp_path).newline_name == "v.image_newline"
    del forge.tensors["v.image_newline"]
    refuse(forge, tmp_path, "model.image_newline or v.image_newline")


def test_unused_post_norm_is_accepted_but_checked(forge: Forge, tmp_path: Path) -> None:
    forge.tensors["v.post_ln.weight"] = forge.tensors["v.post_ln.bias"] = Tensor((32,))
    load(forge, tmp_path)
    forge.tensors["v.post_ln.bias"] = Tensor((31,))
    refuse(forge, tmp_path, "'v.post_ln.bias'")


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL"])
def test_matrix_types(kind: str, tmp_path: Path) -> None:
    forge = good_mmproj(X=32)
    for tensor in forge.tensors.values():
        if len(tensor.shape) == 2 and tensor.shape[1] != 5:
            tensor.type = kind
    assert load(forge, tmp_path).file_type in (kind, "F16")


def test_trailing_dimensions_of_one_are_no_difference(forge: Forge, tmp_path: Path) -> None:
    forge.tensors["v.class_embd"].shape = (32, 1, 1)
    load(forge, tmp_path)


@pytest.mark.parametrize(("stored", "chosen"), [([1], 1), ([2], 2), ([2, -1], 2), ([-1], None), ([], None)])
def test_feature_layer(stored: list[int], chosen: int | None, forge: Forge, tmp_path: Path) -> None:
    forge.metadata[V + "feature_layer"] = ("array[i32]", stored)
    info = load(forge, tmp_path)
    assert (info.feature_layer, info.executed_layers) == (chosen, chosen or 2)


def test_fingerprints_differ(forge: Forge, tmp_path: Path) -> None:
    first = load(forge, tmp_path).fingerprint
    assert load(forge, tmp_path).fingerprint == first
    forge.metadata["general.name"] = ("str", "other")
    assert load(forge, tmp_path).fingerprint != first


# --- kinds of files ---


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


@pytest.mark.parametrize("number", [1, 3, 4])
def test_projector_with_norms(number: int, forge: Forge, tmp_path: Path) -> None:
    forge.tensors[f"mm.{number}.weight"] = Tensor((16,))
    refuse(forge, tmp_path, f"'mm.{number}.weight'", "'mlp'", error=UnsupportedModelError)


def test_several_feature_layers(forge: Forge, tmp_path: Path) -> None:
    forge.metadata[V + "feature_layer"] = ("array[i32]", [1, 2])
    refuse(forge, tmp_path, V + "feature_layer has 2 layers", error=UnsupportedModelError)


# --- metadata ---


@pytest.mark.parametrize("key", sorted(GOOD.metadata.keys() - OPTIONAL_KEYS))
def test_required_keys(key: str, forge: Forge, tmp_path: Path) -> None:
    del forge.metadata[key]
    refuse(forge, tmp_path, f"{key} is missing")


@pytest.mark.parametrize("key", sorted(OPTIONAL_KEYS))
def test_optional_keys(key: str, forge: Forge, tmp_path: Path) -> None:
    del forge.metadata[key]
    load(forge, tmp_path)


def wrong_types() -> Iterator[tuple[str, str]]:
    for key, right in {**KEY_TYPES, "general.architecture": "str"}.items():
        for kind in KINDS:
            if kind != right:
                yield key, kind
            if f"array[{kind}]" != right:
                yield key, f"array[{kind}]"


def test_every_key_with_every_wrong_type(tmp_path: Path) -> None:
    contents: dict[str, Any] = dict.fromkeys(KINDS, 1) | {"str": "mlp"}
    for key, kind in wrong_types():
        forge = GOOD.copy()
        content = [contents[kind[6:-1]]] if kind.startswith("array") else contents[kind]
        forge.metadata[key] = (kind, content)
        right = KEY_TYPES.get(key, "str")
        refuse(forge, tmp_path, f"{key} has the type {kind}; {right} is needed")


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


@pytest.mark.parametrize("step", [-4, 4, 32])
@pytest.mark.parametrize("key", ["image_size", "embedding_length", "feed_forward_length"])
def test_sizes_that_the_tensors_contradict(key: str, step: int, forge: Forge, tmp_path: Path) -> None:
    kind, size = forge.metadata[V + key]
    forge.metadata[V + key] = (kind, size + step)
    forge.metadata.pop(V + "image_grid_pinpoints")
    if size + step > 0:
        refuse(forge, tmp_path, "tensor" if key != "feed_forward_length" or step != -32 else "same")


def test_long_strings_are_cut_in_messages(forge: Forge, tmp_path: Path) -> None:
    forge.metadata["clip.projector_type"] = ("str", "p" * 100_000)
    with pytest.raises(UnsupportedModelError) as caught:
        load(forge, tmp_path)
    assert len(str(caught.value)) < 400
    forge.metadata["clip.projector_type"] = ("str", "p" * 300_000)
    refuse(forge, tmp_path, "clip.projector_type has the length 300000")


# --- tensors ---


@pytest.mark.parametrize("name", GOOD.tensors)
def test_required_tensors(name: str, forge: Forge, tmp_path: Path) -> None:
    del forge.tensors[name]
    refuse(forge, tmp_path, name)


def wrong_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, tensor in GOOD.tensors.items():
        shape = tensor.shape
        for axis, size in enumerate(shape):
            for changed in {size - 1, size + 1, 1, 0} - {size}:
                yield name, (*shape[:axis], changed, *shape[axis + 1 :])
        yield name, (*shape, 2) if len(shape) < 4 else shape[:3]
        if shape != shape[::-1]:
            yield name, shape[::-1]


def test_every_wrong_shape(tmp_path: Path) -> None:
    for name, shape in wrong_shapes():
        forge = GOOD.copy()
        forge.tensors[name].shape = shape
        # mm.0 and mm.2 define a width each, and ffn_down.weight the naming: then others are blamed
        refuse(forge, tmp_path, "mm." if name.startswith("mm.") else name.removesuffix(".weight"), "shape")


def allowed_types(name: str) -> set[str]:
    if name.startswith(("v.patch", "v.position")) or name.endswith("newline"):
        return {"F32", "F16"}
    if len(GOOD.tensors[name].shape) == 1:
        return {"F32"}
    return {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL"}


def test_every_wrong_type(tmp_path: Path) -> None:
    kinds = [
        "F32",
        "F16",
        "BF16",
        "F64",
        "I8",
        "I16",
        "I32",
        "I64",
        "Q4_0",
        "Q8_0",
        "Q8_1",
        "MXFP4",
        "IQ4_NL",
    ]
    for name, tensor in GOOD.tensors.items():
        for kind in kinds:
            forge = GOOD.copy()
            forge.tensors[name].type = kind
            if kind in allowed_types(name) and tensor.shape[0] % TYPES[kind][1] == 0:
                load(forge, tmp_path)
            else:
                refuse(forge, tmp_path, f"'{name}'", kind)


@pytest.mark.parametrize(
    "name",
    [
        "v.extra", "v.patch_embd.bias", "v.blk.0.attn_qkv.weight", "v.blk.0.attn_q_norm.weight",
        "v.blk.0.ls1.weight", "v.blk.0.attn_q.scale", "v.blk.00.ln1.weight", "mm.model.mlp.1.weight",
        "resampler.query", "text.weight",
    ],
)  # fmt: skip
def test_unknown_tensors(name: str, forge: Forge, tmp_path: Path) -> None:
    forge.tensors[name] = Tensor((32,))
    refuse(forge, tmp_path, f"'{name}'", "does not belong")


@pytest.mark.parametrize("layer", [2, 7, 999_999_999])
def test_blocks_beyond_the_count(layer: int, forge: Forge, tmp_path: Path) -> None:
    forge.tensors[f"v.blk.{layer}.ln1.weight"] = Tensor((32,))
    refuse(forge, tmp_path, "block_count is 2")


def test_missing_block(forge: Forge, tmp_path: Path) -> None:
    for name in [name for name in forge.tensors if name.startswith("v.blk.0.")]:
        forge.tensors[name.replace("v.blk.0.", "v.blk.2.")] = forge.tensors.pop(name)
    refuse(forge, tmp_path, "block_count is 2", "1 to 2")


def test_truncation_at_every_tensor(forge: Forge, tmp_path: Path) -> None:
    path = forge.write(tmp_path / "mmproj.gguf")
    data = path.read_bytes()
    start = forge.pad(len(forge.header()))
    end = start
    for name, tensor in forge.tensors.items():
        for cut in (end, end + 1, end + tensor.nbytes - 1):
            path.write_bytes(data[:cut])
            with pytest.raises(ModelFormatError, match=rf"mmproj\.gguf: tensor '{name}'.*truncated"):
                read_mmproj(path)
        end += forge.pad(tensor.nbytes)


@pytest.mark.parametrize("elements", [2**28, 2**36])
def test_last_tensor_claims_much(elements: int, forge: Forge, tmp_path: Path) -> None:
    size = forge.data_size()
    forge.tensors["model.image_newline"] = Tensor((elements,))
    with pytest.raises(ModelFormatError, match=r"'model.image_newline'.*truncated"):
        read_mmproj(forge.write(tmp_path / "mmproj.gguf", data_size=size))


# --- language models ---


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


# --- random damage ---


@settings(max_examples=1000, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=damaged(GOOD.header()))
def test_damaged_headers_parse_or_raise_our_error(header: bytes, tmp_path: Path) -> None:
    path = GOOD.write(tmp_path / "mmproj.gguf", header=header)
    for read in (read_mmproj, read_text_model):
        with suppress(HiredError):
            read(path)
