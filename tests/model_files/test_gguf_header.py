"""The lower half of the GGUF reader: opening without blocking, a bounded cursor, metadata values."""

from __future__ import annotations

import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf_forge import Forge, Tensor
from gguf_refusals import quick, refuse

from hired_gguf.errors import ModelFormatError
from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.model_files.gguf_values import Skipped

# What it reads


def test_every_scalar_kind_written_by_the_gguf_package(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "test")
    numbers = {
        "uint8": 7,
        "int8": -7,
        "uint16": 7,
        "int16": -7,
        "uint32": 7,
        "int32": -7,
        "uint64": 7,
        "int64": -7,
    }
    for kind, number in numbers.items():
        getattr(writer, f"add_{kind}")(kind, number)
    writer.add_float32("float32", 0.5)
    writer.add_float64("float64", 0.25)
    writer.add_bool("bool", True)
    writer.add_array("bools", [True, False])
    writer.add_custom_alignment(64)
    writer.add_tensor("x", np.zeros((3, 5), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    file = read_gguf(tmp_path / "a.gguf")
    assert {key: file.metadata[key] for key in numbers} == numbers
    assert (file.metadata["float32"], file.metadata["float64"]) == (0.5, 0.25)
    assert file.metadata["bool"] is True
    assert file.metadata["bools"] == (True, False)
    assert file.alignment == 64
    assert file.tensors["x"].shape == (5, 3)


def test_long_values_are_stepped_over(text: Forge, tmp_path: Path) -> None:
    text.metadata["a.text"] = ("str", "x" * 300_000)
    text.metadata["a.numbers"] = ("array[i32]", [1] * 20_000)
    text.metadata["a.last"] = ("u8", 9)
    file = read_gguf(text.write(tmp_path / "a.gguf"))
    assert file.metadata["a.text"] == Skipped(300_000)
    assert file.metadata["a.numbers"] == Skipped(20_000)
    assert (file.types["a.text"], file.types["a.numbers"]) == ("str", "array[i32]")
    assert file.metadata["a.last"] == 9


def test_large_vocabulary_is_quick(text: Forge, tmp_path: Path) -> None:
    text.metadata["tokenizer.ggml.tokens"] = ("array[str]", [f"token {n}" for n in range(256_000)])
    text.metadata["tokenizer.ggml.merges"] = ("array[str]", ["long " * 300_000, "short"])
    path = text.write(tmp_path / "a.gguf")
    with quick():
        file = read_gguf(path)
    assert file.metadata["tokenizer.ggml.tokens"] == Skipped(256_000)
    assert file.metadata["tokenizer.ggml.merges"] == Skipped(2)


# What it refuses


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**6])
@pytest.mark.parametrize(
    "head", [struct.pack("<I", 8), *[struct.pack("<II", 9, code) for code in (0, 4, 8, 12)]]
)
def test_bad_lengths(head: bytes, length: int, text: Forge, tmp_path: Path) -> None:
    text.pairs.append(("bad.key", ("raw", head + struct.pack("<Q", length))))
    refuse(text.write(tmp_path / "a.gguf"), "'bad.key'")


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        (("raw", struct.pack("<II", 9, 9) + struct.pack("<IQ", 9, 1) * 10_000), "array of arrays"),
        (("raw", struct.pack("<I", 13)), "unknown type 13"),
        (("raw", struct.pack("<I", 2**32 - 1)), "unknown type"),
        (("raw", struct.pack("<IIQ", 9, 255, 1)), "unknown type 255"),
        (("raw", struct.pack("<IB", 7, 2)), "value 2; a bool is 0 or 1"),
        (("str", b"a\xffb"), "not valid UTF-8"),
        (("str", "a\0b"), "NUL"),
    ],
)
def test_bad_values(typed: tuple[str, object], word: str, text: Forge, tmp_path: Path) -> None:
    text.pairs.append(("bad.key", typed))
    refuse(text.write(tmp_path / "a.gguf"), "'bad.key'", word)


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("", "0 bytes"),
        ("k" * 257, "257 bytes"),
        ("llama.embedding_length\0x", "NUL"),
        (b"\xff\xfe", "UTF-8"),
        ("general.name", "duplicate metadata key 'general.name'"),
    ],
)
def test_bad_keys(key: str, word: str, text: Forge, tmp_path: Path) -> None:
    text.pairs.append((key, ("u32", 1)))
    refuse(text.write(tmp_path / "a.gguf"), word)


def test_bomb_of_empty_strings_is_quick(tmp_path: Path) -> None:
    head = Forge(pairs=[("bomb", ("raw", struct.pack("<IIQ", 9, 8, 2**23 - 100)))])
    refuse(head.write(tmp_path / "a.gguf", data_size=64 << 20), "'bomb'", "a header may have")


@pytest.mark.parametrize(
    "head",
    [
        Forge(n_keys=1 << 14, pairs=[(f"{n:0256}", ("array[u8]", [1] * 1024)) for n in range(10_000)]),
        Forge(n_keys=1 << 14, pairs=[(f"{n:04}", ("str", "\U0001f600" + "x" * 100_000)) for n in range(300)]),
        Forge(
            n_tensors=1 << 15, rows=[(f"{n:063}", Tensor((2**62, 1, 1, 1), "I8", offset=0)) for n in range(9)]
        ),
        pytest.param(
            Forge(rows=[(f"{n:063}", Tensor((8, 1, 1, 1))) for n in range(1 << 15)]), marks=pytest.mark.slow
        ),
    ],
    ids=["arrays", "texts", "huge tensors", "many tensors"],
)
def test_bombs_stay_small_and_quick(head: Forge, tmp_path: Path) -> None:
    path = head.write(tmp_path / "a.gguf", data_size=64 << 20 if head.pairs else 0)
    refuse(path)
    tracemalloc.start()
    with pytest.raises(ModelFormatError):
        read_gguf(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20


# Paths


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.gguf"):
        read_gguf(tmp_path / "missing.gguf")
    (tmp_path / "link").symlink_to(tmp_path / "missing.gguf")
    with pytest.raises(FileNotFoundError, match="link"):
        read_gguf(tmp_path / "link")


def _directory(path: Path) -> None:
    path.mkdir()


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_directory, os.mkfifo, _loop, _zero])
def test_no_regular_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "odd.gguf")
    refuse(tmp_path / "odd.gguf")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "n" * 5000])
def test_impossible_paths(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError):
        read_gguf(tmp_path / name)


def test_file_as_directory(text: Forge, tmp_path: Path) -> None:
    refuse(text.write(tmp_path / "a.gguf") / "b.gguf")


def test_no_permission(text: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = text.write(tmp_path / "a.gguf")

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    refuse(path, "Permission denied")


def test_name_that_is_no_utf8(text: Forge, tmp_path: Path) -> None:
    path = text.write(tmp_path / os.fsdecode(b"\xff.gguf"))
    assert read_gguf(path).path == path
