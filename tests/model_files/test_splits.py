"""Split files: the first part of a language model is taken with all others, everything else is named."""

from __future__ import annotations

import re

import pytest
from gguf_parts import forge_of, part_name, split
from golden_pair import MMPROJ, TEXT, photo

from hired_gguf import LlavaNext
from hired_gguf.errors import ModelFormatError, UnsupportedModelError
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.pair import read_text_model, text_fingerprint


@pytest.fixture(scope="module")
def whole():
    return forge_of(TEXT)


def ask(path):
    with LlavaNext(path, MMPROJ, n_ctx=512, n_threads=1, budget=0.5) as llm:
        return llm.ask(photo("coffee"), "What is it?", max_tokens=6).text


@pytest.mark.parametrize(("count", "alone"), [(2, False), (3, False), (3, True), (12, False)])
def test_the_first_part_answers_as_the_whole(count, alone, whole, tmp_path):
    first = split(whole, tmp_path, "text", count, metadata_alone=alone)[0]
    info = read_text_model(first)
    assert (info.path, info.width, info.file_type) == (first, 128, "F32")
    assert ask(first) == ask(TEXT)


@pytest.mark.parametrize("read", [read_text_model, read_mmproj])
def test_a_later_part_names_the_first(read, whole, tmp_path):
    paths = split(whole, tmp_path, "text")
    merge = read is read_mmproj
    word = "llama-gguf-split --merge" if merge else re.escape(f"Give the first part: {paths[0]} is there")
    with pytest.raises(UnsupportedModelError, match=rf"this is part 2 of 3 of a split GGUF. .*{word}"):
        read(paths[1])
    paths[0].unlink()
    if not merge:
        with pytest.raises(UnsupportedModelError, match="is not there: fetch all parts into one folder"):
            read(paths[2])


def test_a_split_vision_file_is_to_be_joined(tmp_path):
    first = split(forge_of(MMPROJ), tmp_path, "mmproj", 2)[0]
    with pytest.raises(UnsupportedModelError, match=r"part 1 of 2 .* llama-gguf-split --merge"):
        read_mmproj(first)


def test_a_file_of_one_part_is_whole(whole, tmp_path):
    whole = whole.copy()
    whole.metadata |= {"split.no": ("u16", 0), "split.count": ("u16", 1)}
    assert read_text_model(whole.write(tmp_path / "text.gguf")).width == 128


def test_what_can_be_wrong_with_parts(whole, tmp_path):
    def refused(match):
        with pytest.raises(ModelFormatError, match=match):
            read_text_model(tmp_path / part_name("text", 0, 3))

    paths = split(whole, tmp_path, "text")
    data = [path.read_bytes() for path in paths]
    paths[1].unlink()
    refused(r"part 2 of 3 is not beside it: text-00002-of-00003\.gguf")
    paths[1].write_bytes(data[2])
    refused(r"split.no and split.count are 2 and 3, not 1 and 3")
    paths[1].write_bytes(data[1][:-100])
    refused(r"text-00002-of-00003\.gguf: tensor .* truncated")
    paths[1].write_bytes(b"version https://git-lfs.github.com/spec/v1\noid")
    refused("git lfs pull")
    other = split(whole, tmp_path, "other", 3, metadata_alone=True)
    paths[1].write_bytes(other[1].read_bytes())
    refused("parts of different models")


def test_a_first_part_under_another_name(whole, tmp_path):
    first = split(whole, tmp_path, "text")[0].rename(tmp_path / "model.gguf")
    with pytest.raises(ModelFormatError, match=r"must be called 'model-00001-of-00003\.gguf'"):
        read_text_model(first)


@pytest.mark.parametrize(
    ("key", "typed", "match"),
    [
        ("split.no", ("u32", 0), "has the type u32; u16 is needed"),
        ("split.no", ("u16", 3), "is 3 of split.count 3"),
        ("split.count", ("u16", 60000), "at most 1024 parts"),
        ("split.tensors.count", ("i32", 20), "is 20; its 3 parts have 21 tensors"),
    ],
)
def test_bad_numbers(key, typed, match, whole, tmp_path):
    split(whole, tmp_path, "text")
    first = whole.copy()
    first.tensors = dict(list(first.tensors.items())[:7])
    first.metadata |= {"split.no": ("u16", 0), "split.count": ("u16", 3), "split.tensors.count": ("i32", 21)}
    first.metadata[key] = typed
    with pytest.raises(ModelFormatError, match=match):
        read_text_model(first.write(tmp_path / part_name("text", 0, 3)))


def test_a_fingerprint_sees_every_part(whole, tmp_path):
    paths = split(whole, tmp_path, "text")
    before = text_fingerprint(paths[0])
    data = bytearray(paths[2].read_bytes())
    data[-1] ^= 1
    paths[2].write_bytes(data)
    assert text_fingerprint(paths[0]) != before
    assert len(before) == 64
