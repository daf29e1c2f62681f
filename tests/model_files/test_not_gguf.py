"""What is no GGUF file is called by its name, with what would serve, for either file of a pair."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf_forge import good_text
from wrong_downloads import GGUF, HTML, WRONG

from hired_gguf.errors import ModelFormatError
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.pair import read_text_model

READERS = [read_mmproj, read_text_model]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", WRONG)
def test_each_kind_is_named(kind: str, read, tmp_path: Path) -> None:
    content, word = WRONG[kind]
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelFormatError) as caught:
        read(path)
    assert caught.type is ModelFormatError
    assert str(caught.value).startswith(f"{path}: ")
    assert word in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_size_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(HTML)
    with pytest.raises(ModelFormatError, match=rf"HTML .*\({len(HTML)} bytes\)"):
        read_mmproj(tmp_path / "a.gguf")


@pytest.mark.parametrize(
    ("name", "beside", "word"),
    [
        ("a.gguf.part", None, "unfinished download"),
        ("a.gguf.crdownload", None, "unfinished download"),
        ("a.GGUF.INCOMPLETE", None, "unfinished download"),
        ("a.gguf", "a.gguf.aria2", "a.gguf.aria2 lies beside it"),
        ("a.gguf", "a.gguf.part", "a.gguf.part lies beside it"),
        ("a.gguf.part1of3", None, "join all pieces"),
        ("a.gguf-split-a", None, "join all pieces"),
        ("a.gguf.001", None, "join all pieces"),
        ("a.gguf", None, "download it again"),
    ],
)
@pytest.mark.parametrize("content", [GGUF[:300], GGUF + bytes(64)], ids=["header", "data"])
def test_a_cut_file_says_why_it_may_be_cut(name, beside, word, content, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    if beside:
        (tmp_path / beside).write_bytes(b"x")
    with pytest.raises(ModelFormatError, match=r"cut short|truncated") as caught:
        read_mmproj(tmp_path / name)
    assert word in str(caught.value)


def test_a_truncated_file_says_how_long_it_should_be(tmp_path: Path) -> None:
    whole = good_text().write(tmp_path / "a.gguf").stat().st_size
    data = (tmp_path / "a.gguf").read_bytes()
    (tmp_path / "a.gguf").write_bytes(data[:-40])
    with pytest.raises(ModelFormatError, match=rf"has {whole - 40} of \d+ bytes"):
        read_text_model(tmp_path / "a.gguf")


@pytest.mark.parametrize("name", ["a.gguf-split-b", "a.gguf.part2of3", "a.gguf.002", "a.gguf-aa"])
def test_a_later_piece_of_a_cut_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bytes(range(7, 256)) * 9)
    with pytest.raises(ModelFormatError, match=r"a later piece .* join all pieces in order"):
        read_mmproj(tmp_path / name)


@pytest.mark.parametrize("read", READERS)
def test_a_folder_says_what_is_in_it(read, tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match=r"a folder, with no \.gguf file in it"):
        read(tmp_path)
    for name in "abcde":
        (tmp_path / f"{name}.gguf").touch()
    with pytest.raises(ModelFormatError, match=r"a folder, with a\.gguf, b\.gguf, c\.gguf and 2 more in it"):
        read(tmp_path)
