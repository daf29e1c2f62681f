"""Another type for a mmproj: blocks as ggml makes them, and what is refused."""

from __future__ import annotations

import ctypes
import shutil
from collections import namedtuple

import gguf
import llama_cpp
import numpy as np
import pytest
from faults import failing
from gguf_forge import Tensor, good_mmproj
from gguf_rewrite import tensor_bytes
from golden_pair import MMPROJ, photo

from hired_gguf.errors import InputError, ModelFormatError, NumericError
from hired_gguf.model_files import quantize as quantizing
from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.quantize import TYPES, matrix_types, quantize_mmproj

BLOCKED = [kind for kind in TYPES if kind.startswith("Q")]


def ggml_quantize(values, kind):
    """What ggml itself makes of rows of floats."""
    call = llama_cpp.llama_cpp._lib.ggml_quantize_chunk
    call.restype, call.argtypes = (
        ctypes.c_size_t,
        [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p],
    )
    number = gguf.GGMLQuantizationType[kind]
    block, size = gguf.GGML_QUANT_SIZES[number]
    rows = np.ascontiguousarray(values, np.float32)
    out = np.empty(rows.size // block * size, np.uint8)
    assert call(number, rows.ctypes.data, out.ctypes.data, 0, *rows.shape, None) == out.size
    return out.tobytes()


# The file


def test_numbers_of_file_types_are_llama_cpps():
    names = {kind: "ALL_F32" if kind == "F32" else f"MOSTLY_{kind}" for kind in TYPES}
    assert {kind: gguf.LlamaFileType[name].value for kind, name in names.items()} == TYPES


@pytest.mark.parametrize("kind", TYPES)
def test_it_is_a_mmproj_of_that_type(every_type, kind):
    info = read_mmproj(every_type[kind])
    assert info.file_type == kind or kind.startswith("Q")  # in so small a file the embeddings weigh more
    assert set(quantizing.weight_types(read_gguf(every_type[kind]))) == {kind}
    assert info.parameters == read_mmproj(MMPROJ).parameters


@pytest.mark.parametrize("kind", BLOCKED)
def test_blocks_are_ggmls(every_type, kind):
    after = tensor_bytes(every_type[kind])
    for tensor in gguf.GGUFReader(MMPROJ).tensors:
        if tensor.name.endswith("weight") and ("attn" in tensor.name or "mm." in tensor.name):
            assert after[tensor.name] == ggml_quantize(tensor.data, kind), tensor.name


def test_same_type_gives_the_same_tensors(every_type, tmp_path):
    assert tensor_bytes(every_type["F32"]) == tensor_bytes(MMPROJ)
    again = quantize_mmproj(every_type["Q8_0"], tmp_path / "again.gguf", "q8_0")
    assert again.read_bytes() == every_type["Q8_0"].read_bytes()


def test_a_quantised_source_is_dequantised(every_type, tmp_path):
    back = tensor_bytes(quantize_mmproj(every_type["Q4_0"], tmp_path / "back.gguf", "F32"))
    for tensor in gguf.GGUFReader(every_type["Q4_0"]).tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert back[tensor.name] == values.astype(np.float32).tobytes()


def test_rows_that_no_block_divides_become_f16(tmp_path):
    forge = good_mmproj(X=24)
    forge.tensors["mm.2.weight"].type = "F32"
    source = forge.write(tmp_path / "in.gguf")
    assert matrix_types(read_gguf(source), "Q8_0")["mm.2.weight"] == "F16"
    assert matrix_types(read_gguf(source), "F32")["mm.2.weight"] == "F32"
    file = read_gguf(quantize_mmproj(source, tmp_path / "out.gguf"))
    assert (file.tensors["mm.2.weight"].type, file.tensors["mm.0.weight"].type) == ("F16", "Q8_0")
    read_mmproj(file.path)


def test_a_forged_tensor_type_that_quants_cannot_make_can_be_read(tmp_path):
    """K-quants come in, though none goes out."""
    forge = good_mmproj(D=256, F=512, X=256)
    for name, tensor in forge.tensors.items():
        if "attn_" in name and name.endswith("weight"):
            forge.tensors[name] = Tensor(tensor.shape, "Q6_K")
    file = read_gguf(quantize_mmproj(forge.write(tmp_path / "in.gguf"), tmp_path / "out.gguf"))
    assert quantizing.weight_types(file) == ["Q8_0"]


# What is refused


def refuse(error, text, *args, **options):
    with pytest.raises(error, match=text) as caught:
        quantize_mmproj(*args, **options)
    assert caught.type is error


def test_refusals(every_type, tmp_path):
    here = tmp_path / "here.gguf"
    shutil.copy(MMPROJ, here)
    link = tmp_path / "link.gguf"
    link.symlink_to(here)
    allowed = "'Q4_K' cannot be made; allowed: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1"
    refuse(InputError, allowed, MMPROJ, tmp_path / "a", "Q4_K")
    refuse(InputError, "is the source itself", here, here, force=True)
    refuse(InputError, "is the source itself", here, link, force=True)
    refuse(InputError, "the folder '.*nowhere' is not there", MMPROJ, tmp_path / "nowhere" / "a")
    refuse(InputError, "is no regular file", MMPROJ, tmp_path, force=True)
    refuse(FileExistsError, "is there already", MMPROJ, here)
    refuse(FileNotFoundError, "No such model file", tmp_path / "none", tmp_path / "a")
    refuse(ModelFormatError, "PNG picture", photo(), tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.gguf", "link.gguf"]
    assert here.read_bytes() == MMPROJ.read_bytes()


def test_force_replaces(every_type, tmp_path):
    target = tmp_path / "out.gguf"
    target.write_text("old")
    quantize_mmproj(MMPROJ, target, force=True)
    assert target.read_bytes() == every_type["Q8_0"].read_bytes()


def test_a_full_disk_is_noticed_before(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 0, 2**19))
    refuse(OSError, r"out.gguf needs 1 MiB, but 0 MiB are free", MMPROJ, tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("weight", "kind", "text"),
    [
        (np.nan, "BF16", "'mm.0.weight' has NaN or infinity"),
        (np.inf, "F16", "'mm.0.weight' has NaN or infinity"),
        (1e6, "F16", r"'mm.0.weight' has a weight of 1e\+06, too large for F16"),
        (-1e6, "Q8_0", "too large for Q8_0"),
    ],
)
def test_weights_that_a_type_cannot_hold(tmp_path, weight, kind, text):
    data = bytearray(MMPROJ.read_bytes())
    offset = read_gguf(MMPROJ).tensors["mm.0.weight"].offset
    data[offset : offset + 4] = np.float32(weight).tobytes()
    source = tmp_path / "in.gguf"
    source.write_bytes(data)
    refuse(NumericError, text, source, tmp_path / "out.gguf", kind)
    assert [path.name for path in tmp_path.iterdir()] == ["in.gguf"]


@pytest.mark.parametrize("values", [np.zeros((2, 32)), np.full((2, 32), 1e-42), np.eye(32) * 65504])
@pytest.mark.parametrize("kind", BLOCKED)
def test_extreme_blocks(values, kind, tmp_path):
    """No warnings, which would be errors here, and finite numbers back."""
    rows = values.astype(np.float32)
    tensor = read_gguf(MMPROJ).tensors["mm.0.weight"]._replace(shape=rows.shape[::-1])
    data = quantizing._convert(rows.reshape(-1).view(np.uint8), tensor, kind, tmp_path)
    back = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    assert np.abs(back - rows).max() <= np.abs(rows).max() / 7 + 1e-7


@pytest.mark.parametrize("way", ["full", "short", "rename", "open", "read"])
def test_every_call_may_fail(tmp_path, way):
    """The target is there as a whole or not at all, and the error names the file that is to blame."""
    whole = quantize_mmproj(MMPROJ, tmp_path / "whole.gguf", "q8_0").read_bytes()
    disk = tmp_path / "disk"
    disk.mkdir()
    source, target = disk / "source.gguf", disk / "target.gguf"
    for at in (1, 2, 3, 5, 8, 13, 100_000):
        shutil.copy(MMPROJ, source)
        error = None
        with failing(disk, way, at) as faults:
            try:
                quantize_mmproj(source, target, "q8_0")
            except (OSError, ModelFormatError) as caught:
                error = caught
        assert (error is not None) == (faults.calls >= at and way != "short")
        assert error is None or str(source if way == "read" else disk) in str(error)
        assert {path.name for path in disk.iterdir()} == {"source.gguf", *[target.name] * (error is None)}
        if error is None:
            assert target.read_bytes() == whole
            target.unlink()
