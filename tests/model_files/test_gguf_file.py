"""The bounded GGUF reader: what it reads, and what it must refuse quickly and by name."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import struct
from pathlib import Path

import gguf
import pytest
from gguf_forge import Forge, Tensor, damaged, good_mmproj, value
from gguf_refusals import refuse
from hypothesis import HealthCheck, given, settings
from paths import GOLDEN_FOLDER

from hired_gguf.errors import ModelFormatError
from hired_gguf.model_files.gguf_file import TENSOR_TYPES, TensorInfo, fingerprint, read_gguf
from hired_gguf.model_files.gguf_values import Skipped

GOLDEN = GOLDEN_FOLDER / "hf_tiny"


# What it reads


def test_reads_values_types_and_places(text: Forge, tmp_path: Path) -> None:
    path = text.write(tmp_path / "text.gguf")
    file = read_gguf(path)
    start = text.pad(len(text.header()))
    assert (file.path, file.version, file.alignment, file.file_size) == (path, 3, 32, path.stat().st_size)
    assert file.metadata["llama.context_length"] == 4096
    assert file.types["llama.context_length"] == "u32"
    assert file.metadata["tokenizer.ggml.scores"] == (0.0, -1.0, -2.0, -3.0)
    assert file.types["tokenizer.ggml.scores"] == "array[f32]"
    assert file.metadata["tokenizer.ggml.tokens"] == Skipped(4)
    assert file.types["tokenizer.ggml.tokens"] == "array[str]"
    assert file.data_offset == start
    assert file.tensors["output.weight"] == TensorInfo("output.weight", (32, 4), "Q4_0", start + 128, 72)
    assert file.parameters == 32 + 32 * 4
    assert file.weight_type == "F32"


@pytest.mark.parametrize("name", ["mmproj-f32.gguf", "text-f32.gguf"])
def test_agrees_with_the_gguf_package(name: str) -> None:
    ours, theirs = read_gguf(GOLDEN / name), gguf.GGUFReader(GOLDEN / name)
    places = {t.name: (tuple(map(int, t.shape)), t.tensor_type.name, t.data_offset) for t in theirs.tensors}
    assert {t.name: (t.shape, t.type, t.offset) for t in ours.tensors.values()} == places
    for key, found in ours.metadata.items():
        expected = theirs.fields[key].contents()
        if isinstance(found, Skipped):
            assert found.length == len(expected)
        else:
            assert (list(found) if isinstance(found, tuple) else found) == expected


@pytest.fixture(scope="module")
def ggml() -> ctypes.CDLL:
    """The ggml that llama-cpp-python installs."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec
    assert spec.origin
    return ctypes.CDLL(str(next((Path(spec.origin).parent / "lib").glob("*ggml-base*"))))


def test_tensor_types_are_those_of_the_installed_ggml(ggml: ctypes.CDLL) -> None:
    ggml.ggml_type_name.restype = ctypes.c_char_p
    ggml.ggml_blck_size.restype = ctypes.c_int64
    ggml.ggml_type_size.restype = ctypes.c_size_t
    installed = {
        code: (
            ggml.ggml_type_name(code).decode().upper(),
            ggml.ggml_blck_size(code),
            ggml.ggml_type_size(code),
        )
        for code in range(43)
        if ggml.ggml_blck_size(code)
    }
    assert {
        code: (name.upper(), block, size) for code, (name, block, size) in TENSOR_TYPES.items()
    } == installed


def test_version_2_and_no_tensors(text: Forge, tmp_path: Path) -> None:
    text.version = 2
    text.tensors.clear()
    file = read_gguf(text.write(tmp_path / "a.gguf"))
    assert (file.version, file.tensors, file.weight_type) == (2, {}, "none")


def test_fingerprint_sees_size_header_and_both_ends_of_each_tensor(tmp_path: Path) -> None:
    data = (GOLDEN / "mmproj-f32.gguf").read_bytes()
    tensor = read_gguf(GOLDEN / "mmproj-f32.gguf").tensors["mm.0.weight"]
    seen = {fingerprint(read_gguf(GOLDEN / "mmproj-f32.gguf"))}
    path = tmp_path / "a.gguf"
    for at in (data.index(b"spatial_unpad"), tensor.offset, tensor.offset + tensor.nbytes - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        seen.add(fingerprint(read_gguf(path)))
    path.write_bytes(data + b"\0")
    seen.add(fingerprint(read_gguf(path)))
    assert len(seen) == 5
    file = read_gguf(path)
    path.write_bytes(data)
    with pytest.raises(ModelFormatError, match=r"a\.gguf: the file had \d+ bytes and now has"):
        fingerprint(file)


# What it refuses


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"GGUF", "version"),
        (b"GGU", "magic"),
        (b"GGML" + bytes(40), "GGML"),
        (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "big-endian"),
        *[(struct.pack("<4sIQQ", b"GGUF", v, 0, 0), f"version is {v};") for v in (0, 1, 4, 99)],
        (struct.pack("<4sIQ", b"GGUF", 3, 0), "number of metadata keys"),
    ],
)
def test_bad_start(content: bytes, word: str, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(content)
    refuse(tmp_path / "a.gguf", word)


@pytest.mark.parametrize("count", [2**63 - 1, 2**64 - 1, 2**40, 10_000])
@pytest.mark.parametrize("which", ["n_tensors", "n_keys"])
def test_bad_counts(which: str, count: int, text: Forge, tmp_path: Path) -> None:
    setattr(text, which, count)
    refuse(text.write(tmp_path / "a.gguf"))


@pytest.mark.parametrize(("which", "step"), [("n_tensors", 1), ("n_keys", 1), ("n_keys", -1)])
def test_counts_off_by_one(which: str, step: int, text: Forge, tmp_path: Path) -> None:
    setattr(text, which, len(text.tensors if which == "n_tensors" else text.metadata) + step)
    refuse(text.write(tmp_path / "a.gguf"))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("", "0 bytes"),
        ("n" * 64, "64 bytes"),
        ("mm.2.bias\0z", "NUL"),
        (b"\xff\xfe", "UTF-8"),
        ("output.weight", "duplicate tensor 'output.weight'"),
    ],
)
def test_bad_tensor_names(name: str, word: str, text: Forge, tmp_path: Path) -> None:
    text.rows.append((name, Tensor((1,))))
    refuse(text.write(tmp_path / "a.gguf"), word)


@pytest.mark.parametrize(
    "typed",
    [
        *[("u32", n) for n in (0, 1, 3, 4, 33, 2**17, 2**31)],
        ("i32", 32),
        ("u64", 32),
        ("str", "32"),
        ("bool", True),
    ],
)
def test_bad_alignment(typed: tuple[str, object], text: Forge, tmp_path: Path) -> None:
    text.metadata["general.alignment"] = typed
    refuse(text.write(tmp_path / "a.gguf"), "general.alignment", "from 8 to 65536")


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (Tensor((1,) * 5), "5 dimensions; at most 4"),
        (Tensor((1,) * 9), "9 dimensions"),
        (Tensor((0,)), "[0]"),
        (Tensor((4, 0)), "[4, 0]"),
        (Tensor((2**64 - 1,), "I8"), "2**63"),
        (Tensor((2**32, 2**32), "I8"), "2**63"),
        (Tensor((2**16,) * 4, "I8"), "2**63"),
        (Tensor((4,), code=255), "unknown ggml type 255"),
        (Tensor((4,), code=4), "unknown ggml type 4"),
        (Tensor((4,), code=31), "unknown ggml type 31"),
        (Tensor((33, 2), "Q8_0"), "rows of 33 elements; Q8_0 needs a multiple of 32"),
        (Tensor((128, 2), "Q4_K"), "rows of 128 elements; Q4_K needs a multiple of 256"),
        (Tensor((4,), offset=0), "offset 0"),
        (Tensor((4,), offset=96), "offset 96"),
        (Tensor((4,), offset=2**63), "offset 9223372036854775808"),
        (Tensor((4,), offset=288), "offset 288; 224 follows"),
        (Tensor((2**28,)), "truncated"),
        (Tensor((2**36,)), "truncated"),
    ],
)
def test_bad_tensors(tensor: Tensor, word: str, text: Forge, tmp_path: Path) -> None:
    text.rows.append(("bad.tensor", tensor))
    refuse(text.write(tmp_path / "a.gguf", data_size=4096), "'bad.tensor'", word)


@pytest.mark.slow
def test_truncation_at_every_header_byte_and_in_the_data(text: Forge, tmp_path: Path) -> None:
    path = text.write(tmp_path / "a.gguf")
    data = path.read_bytes()
    read_gguf(path)
    read_end = read_gguf(path).tensors["output.weight"]
    cuts = [
        *range(text.pad(len(text.header())) + 2),
        read_end.offset - 1,
        read_end.offset + read_end.nbytes - 1,
    ]
    for cut in cuts:
        path.write_bytes(data[:cut])
        refuse(path)
    path.write_bytes(data[: read_end.offset + read_end.nbytes])
    read_gguf(path)  # padding after the last tensor may be absent


class InitParams(ctypes.Structure):
    """struct gguf_init_params."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


@pytest.mark.slow
@settings(max_examples=500, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=damaged(good_mmproj(layers=1).header()))
def test_what_is_accepted_ggml_accepts_too(header: bytes, ggml: ctypes.CDLL, tmp_path: Path) -> None:
    path = good_mmproj(layers=1).write(tmp_path / "a.gguf", header=header)
    try:
        read_gguf(path)
    except ModelFormatError:
        return
    ggml.gguf_init_from_file.restype = ctypes.c_void_p
    ggml.gguf_init_from_file.argtypes = (ctypes.c_char_p, InitParams)
    ggml.gguf_free.argtypes = (ctypes.c_void_p,)
    context = ggml.gguf_init_from_file(os.fsencode(path), InitParams(True, None))
    assert context
    ggml.gguf_free(context)


def test_value_writes_what_the_reader_names() -> None:
    assert value("array[i32]", [1]) == struct.pack("<IIQi", 9, 5, 1, 1)
