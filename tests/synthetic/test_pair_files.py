"""Names and sizes of a synthetic pair, against files that are there."""

from __future__ import annotations

import pytest
from gguf import GGUFReader

from hired_gguf.synthetic.pair_files import pair_bytes, pair_paths
from hired_gguf.synthetic.synthesize import synthesize


@pytest.mark.parametrize("quant", ["f32", "f16", "q8_0", "q4_0"])
def test_names_and_sizes_are_those_of_the_files(tmp_path, quant):
    pair = synthesize("tiny", tmp_path, quant)
    assert pair == pair_paths("tiny", tmp_path, quant)
    headers = 20_000  # bytes at most: names, shapes, 512 tokens
    assert pair_bytes("tiny", quant) < sum(path.stat().st_size for path in pair)
    assert sum(path.stat().st_size for path in pair) < pair_bytes("tiny", quant) + 2 * headers


def test_a_model_of_fewer_layers_has_its_own_name_and_size(tmp_path):
    pair = synthesize("tiny", tmp_path, "q8_0", layers=1)
    assert pair == pair_paths("tiny", tmp_path, "q8_0", layers=1)
    assert [path.name for path in pair] == ["text-tiny-1-layers-q8_0.gguf", "mmproj-tiny-f16.gguf"]
    blocks = {tensor.name.split(".")[1] for tensor in GGUFReader(pair[0]).tensors if "blk." in tensor.name}
    assert blocks == {"0"}
    assert GGUFReader(pair[0]).fields["llama.block_count"].contents() == 1
    assert 0 < sum(path.stat().st_size for path in pair) - pair_bytes("tiny", "q8_0", layers=1) < 40_000


def test_the_mmproj_can_have_a_type_of_its_own(tmp_path):
    pair = pair_paths("tiny", tmp_path, "f32", "q8_0")
    assert [path.name for path in pair] == ["text-tiny-f32.gguf", "mmproj-tiny-q8_0.gguf"]
