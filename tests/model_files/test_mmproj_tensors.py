"""Which tensors a mmproj may hold: each spoiled one is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gguf_forge import TYPES, Forge, Tensor, good_mmproj
from mmproj_forge import GOOD, V, load, refuse

from hired_gguf.errors import ModelFormatError, UnsupportedModelError
from hired_gguf.model_files.mmproj import read_mmproj


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


@pytest.mark.parametrize("number", [1, 3, 4])
def test_projector_with_norms(number: int, forge: Forge, tmp_path: Path) -> None:
    forge.tensors[f"mm.{number}.weight"] = Tensor((16,))
    refuse(forge, tmp_path, f"'mm.{number}.weight'", "'mlp'", error=UnsupportedModelError)


@pytest.mark.parametrize("step", [-4, 4, 32])
@pytest.mark.parametrize("key", ["image_size", "embedding_length", "feed_forward_length"])
def test_sizes_that_the_tensors_contradict(key: str, step: int, forge: Forge, tmp_path: Path) -> None:
    kind, size = forge.metadata[V + key]
    forge.metadata[V + key] = (kind, size + step)
    forge.metadata.pop(V + "image_grid_pinpoints")
    if size + step > 0:
        refuse(forge, tmp_path, "tensor" if key != "feed_forward_length" or step != -32 else "same")


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


@pytest.mark.slow
def test_every_wrong_shape(tmp_path: Path) -> None:
    for name, shape in wrong_shapes():
        forge = GOOD.copy()
        forge.tensors[name].shape = shape
        # mm.0 and mm.2 define a width each, and ffn_down.weight the naming: then others are blamed
        refuse(forge, tmp_path, "mm." if name.startswith("mm.") else name.removesuffix(".weight"), "shape")


def allowed_types(name: str) -> set[str]:
    if name == "v.patch_embd.weight":
        return {"F32", "F16", "BF16"}
    if len(GOOD.tensors[name].shape) == 1 and not name.endswith("newline"):
        return {"F32"}
    return {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL"}


@pytest.mark.slow
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
        "v.extra", "v.patch_embd.bias", "v.blk.0.attn_q_norm.weight", "v.blk.0.attn_q.scale",
        "v.blk.00.ln1.weight", "mm.model.norm.weight", "text.weight",
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
