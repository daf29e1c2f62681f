"""A GGUF file made from another: what is copied byte for byte, and an interrupt that leaves nothing."""

from __future__ import annotations

import gguf
import pytest
from gguf_forge import good_mmproj
from gguf_rewrite import tensor_bytes
from golden_pair import MMPROJ

from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.model_files.quantize import TYPES, quantize_mmproj

SET = ("general.file_type", "general.quantization_version")


@pytest.mark.parametrize("kind", TYPES)
def test_only_matrices_change(every_type, kind):
    before, after = read_gguf(MMPROJ), read_gguf(every_type[kind])
    changed = {name for name, tensor in after.tensors.items() if tensor.type != before.tensors[name].type}
    matrices = {name for name in before.tensors if ".weight" in name and ("blk" in name or "mm." in name)}
    matrices = {name for name in matrices if ".ln" not in name}
    assert changed == (set() if kind == "F32" else matrices)
    assert len(matrices) == 3 * 6 + 2
    assert list(after.tensors) == list(before.tensors)
    assert [t.shape for t in after.tensors.values()] == [t.shape for t in before.tensors.values()]
    old, new = tensor_bytes(MMPROJ), tensor_bytes(every_type[kind])
    assert all(old[name] == new[name] for name in old if name not in changed)


@pytest.mark.parametrize("kind", TYPES)
def test_metadata_stays(every_type, kind):
    before, after = read_gguf(MMPROJ), read_gguf(every_type[kind])
    assert after.metadata["general.file_type"] == TYPES[kind]
    assert after.metadata["general.quantization_version"] == gguf.GGML_QUANT_VERSION
    assert [after.types[key] for key in SET] == ["u32", "u32"]
    for old, new in ((before.metadata, after.metadata), (before.types, after.types)):
        assert [item for item in old.items() if item[0] not in SET] == [
            i for i in new.items() if i[0] not in SET
        ]


def test_strange_metadata_is_copied(tmp_path):
    """Long values, arrays of strings, bytes that are no text, another alignment, a number of another type."""
    forge = good_mmproj()
    forge.alignment = 64
    forge.metadata |= {
        "general.alignment": ("u32", 64),
        "general.quantization_version": ("i32", 1),
        "some.words": ("array[str]", ["a", b"\xff", "", "ä"]),
        "some.numbers": ("array[f64]", list(range(20000))),
        "some.text": ("str", "x" * 300_000),
        "some.nothing": ("array[i32]", []),
    }
    source = forge.write(tmp_path / "in.gguf")
    target = quantize_mmproj(source, tmp_path / "out.gguf", "F16")
    expected = forge.copy()
    expected.metadata |= {"general.file_type": ("u32", 1), "general.quantization_version": ("u32", 2)}
    assert target.read_bytes() == expected.write(tmp_path / "expected.gguf").read_bytes()


def test_an_interrupt_leaves_nothing(tmp_path):
    heard = []

    def interrupt(stage, done, total):
        heard.append((stage, done, total))
        if done == 20:
            assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_mmproj(MMPROJ, tmp_path / "out.gguf", on_progress=interrupt)
    assert heard == [("quantize", done, len(read_gguf(MMPROJ).tensors)) for done in range(21)]
    assert not list(tmp_path.iterdir())
