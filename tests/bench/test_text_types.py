"""Text models of several types, made of one by llama.cpp's quantizer."""

from __future__ import annotations

import gguf
import pytest

from hired_gguf.bench import text_types
from hired_gguf.bench.text_types import TYPES, Maker, TextType
from hired_gguf.errors import HiredError
from hired_gguf.synthetic.pair_files import pair_bytes

pytestmark = pytest.mark.slow  # a process for each type


def maker(folder, status=lambda _: None, said=None):
    said = [] if said is None else said
    return Maker("small", 1, folder, 1, said.append, status)


def test_types_are_those_that_llama_cpp_writes(tmp_path):
    shown, said = [], []
    files, mmproj = maker(tmp_path, shown.append, said).make(list(TYPES))
    assert list(files) == list(TYPES)
    assert mmproj.name == "mmproj-small-f16.gguf"
    assert sorted(tmp_path.iterdir()) == sorted([*files.values(), mmproj])  # no source, nothing unfinished
    for kind, path in files.items():
        reader = gguf.GGUFReader(path)
        assert reader.fields["general.file_type"].contents() == TYPES[kind].number
        types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
        assert types["blk.0.attn_q.weight"] == kind.upper().removesuffix("_M")
        room = pair_bytes("small", "f16", 1) * TYPES[kind].bits / 16 * 1.1
        assert path.stat().st_size < room
    assert len(said) == 1
    assert f"({', '.join(TYPES)})" in said[0]
    assert any(line.startswith("writing text-small-1-layers-f16.gguf") for line in shown)
    assert any(line.startswith("making text-small-1-layers-q4_k_m-quantized.gguf") for line in shown)


def test_what_is_there_stays(tmp_path):
    first, _ = maker(tmp_path).make(["q8_0"])
    before, said = first["q8_0"].stat(), []
    both, _ = maker(tmp_path, said=said).make(["q8_0", "q4_0"])
    assert both["q8_0"].stat().st_mtime_ns == before.st_mtime_ns
    assert "(q4_0)" in said[0]
    again, _ = maker(tmp_path, said=said).make(["q4_0", "q8_0"])
    assert again == both
    assert len(said) == 1


def test_a_source_that_was_there_stays(tmp_path):
    source, _ = text_types.cached_pair("small", tmp_path, "f16", 1)
    maker(tmp_path).make(["q4_0"])
    assert source.exists()


def test_a_failure_leaves_nothing_unfinished(tmp_path, monkeypatch):
    monkeypatch.setitem(TYPES, "q4_0", TextType(9999, 4.7))
    with pytest.raises(HiredError, match=rf"cannot make a q4_0 model in {tmp_path}: .*ended with 1"):
        maker(tmp_path).make(["q4_0"])
    assert [path.name for path in tmp_path.iterdir()] == ["mmproj-small-f16.gguf"]


def test_an_interrupt_leaves_nothing_unfinished(tmp_path):
    def interrupt(doing):
        if doing.startswith("making"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maker(tmp_path, interrupt).make(["q4_0"])
    assert [path.name for path in tmp_path.iterdir()] == ["mmproj-small-f16.gguf"]
