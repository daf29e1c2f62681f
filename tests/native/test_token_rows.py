"""A text's tokens as rows: the numbers that llama.cpp begins with, and where the way is not taken."""

from __future__ import annotations

import os
import shutil
import time

import gguf
import numpy as np
import pytest
from architectures import text_model
from contexts import logits
from gguf_parts import forge_of, split
from golden_pair import TEXT, rows_of

from hired_gguf import _core
from hired_gguf.context import prefill as prefill_module
from hired_gguf.context.prefill import prefill
from hired_gguf.errors import InputError, ModelFormatError, NumericError
from hired_gguf.model_files.token_table import read_token_table
from hired_gguf.native import token_rows as module
from hired_gguf.native.token_rows import ARCHITECTURES, token_rows, token_table
from hired_gguf.progress import Timings
from models import load_llama

IDS = [1, 143, 155, 227, 13, 319, 0, 143]
IMAGE = rows_of(np.random.default_rng(0).standard_normal((20, 128)).astype(np.float32))
PROMPT = [IDS[:4], IMAGE, IDS[4:]]
QUANTS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16", "BF16")


@pytest.fixture
def load(tmp_path):
    """Loads a copy of the golden text model, or the file given."""
    made = []

    def run(path=None, **options):
        path = path or shutil.copy(TEXT, tmp_path / "text.gguf")
        made.append(load_llama(path, **options))
        return made[-1]

    yield run
    for llama in made:
        llama.close()


def weights():
    (table,) = (t.data for t in gguf.GGUFReader(TEXT).tensors if t.name == "token_embd.weight")
    return np.array(table)


# What


@pytest.mark.parametrize("name", QUANTS)
def test_rows_are_those_of_the_type(name):
    """Beside gguf's own conversion, which is another program."""
    quant, values = gguf.GGMLQuantizationType[name], weights()
    packed = gguf.quants.quantize(values, quant).view(np.uint8).reshape(len(values), -1)
    found = _core.dequantize_rows(name, packed)
    np.testing.assert_allclose(found, gguf.quants.dequantize(packed.copy(), quant), rtol=1e-6)
    assert np.abs(found - values).max() < 0.1 * np.abs(values).max()


@pytest.mark.parametrize("name", ["Q4_K", "Q5_K", "Q6_K", "Q2_K", "Q3_K", "IQ4_NL", "IQ4_XS", "q4_k"])
def test_random_blocks_of_a_type(name):
    """Of types that gguf reads and does not write. Every bit pattern is a block, but for its scales."""
    quant = gguf.GGMLQuantizationType[name.upper()]
    block, size = gguf.GGML_QUANT_SIZES[quant]
    packed = np.random.default_rng(0).integers(0, 60, (5, 3 * size), np.uint8)  # small halves are finite
    found = _core.dequantize_rows(name, packed)
    assert found.shape == (5, 3 * block)
    np.testing.assert_allclose(found, gguf.quants.dequantize(packed, quant), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("Q9_Z", (1, 18), "[dequantize] type 'Q9_Z' is none of ggml's types of weights"),
        ("", (1, 18), "[dequantize] type '' is none of ggml's types of weights"),
        ("I32", (1, 4), "[dequantize] type 'I32' is none of ggml's types of weights"),
        ("Q8_K", (1, 292), "[dequantize] type 'Q8_K' is none of ggml's types of weights"),
        ("Q4_0", (2, 17), "[dequantize] 34 bytes in rows of 17; whole rows of q4_0 are needed, whose blocks"),
        ("F32", (3, 0), "[dequantize] 0 bytes in rows of 0; whole rows of f32 are needed"),
    ],
)
def test_bytes_that_are_no_rows(name, shape, said):
    with pytest.raises(InputError) as caught:
        _core.dequantize_rows(name, np.zeros(shape, np.uint8))
    assert str(caught.value).startswith(said)


def test_no_rows_are_no_rows():
    assert _core.dequantize_rows("Q4_0", np.zeros((0, 18), np.uint8)).size == 0


def test_rows_of_the_file(load):
    table = token_table(load())
    np.testing.assert_array_equal(token_rows(table, IDS), weights()[IDS])


@pytest.mark.parametrize("token", [-1, 320, 1 << 30])
def test_a_token_that_is_not_there(load, token):
    llama = load()
    with pytest.raises(InputError, match=rf"^\[prefill\] token {token}; .*text.gguf has 0 to 319$"):
        prefill(llama, [[1, token], IMAGE, [5]], Timings())
    assert llama.n_tokens == 0


def test_a_row_that_is_no_number(tmp_path, load):
    forge = forge_of(TEXT)
    values = weights()
    values[7, 3] = np.nan
    forge.contents["token_embd.weight"] = values.tobytes()
    llama = load(forge.write(tmp_path / "nan.gguf"))
    with pytest.raises(NumericError, match=r"nan.gguf: the row of token 7 holds NaN or infinity$"):
        prefill(llama, [[1, 7], IMAGE, [5]], Timings())
    assert llama.n_tokens == 0
    assert prefill(llama, [[1, 8], IMAGE, [5]], Timings()).reused == 0


# With which architectures


def both_ways(llama, monkeypatch):
    """The logits of a prompt whose text and image are evaluated together, and apart."""
    llama.reset()
    prefill(llama, PROMPT, Timings(), fresh=False)
    together = logits(llama)
    with monkeypatch.context() as patch:
        patch.setattr(prefill_module, "token_table", lambda llama: None)
        llama.reset()
        prefill(llama, PROMPT, Timings())
    return together, logits(llama)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_tokens_and_their_rows_are_the_same(architecture, load, tmp_path, monkeypatch):
    llama = load(text_model(architecture, tmp_path / "text.gguf"))
    assert token_table(llama).architecture == architecture
    together, apart = both_ways(llama, monkeypatch)
    np.testing.assert_allclose(together, apart, atol=1e-4 * np.abs(apart).max())


def test_an_architecture_whose_tokens_are_not_their_rows(load, tmp_path, monkeypatch):
    """Gemma 3 scales the rows of ids alone: together they would be other rows."""
    llama = load(text_model("gemma3", tmp_path / "text.gguf"))
    assert token_table(llama) is None
    monkeypatch.setattr(module, "ARCHITECTURES", {"gemma3"})
    module._tables.clear()
    assert token_table(llama) is not None
    together, apart = both_ways(llama, monkeypatch)
    assert np.abs(together - apart).max() > 0.05 * np.abs(apart).max()


def test_an_architecture_that_nobody_looked_at(load, tmp_path):
    assert token_table(load(text_model("internlm2", tmp_path / "text.gguf"))) is None


# With which files


def test_a_split_file(load, tmp_path):
    first = split(forge_of(TEXT), tmp_path, "text", metadata_alone=True)[0]
    table = token_table(load(first))
    assert table.path.name == "text-00002-of-00003.gguf"
    np.testing.assert_array_equal(token_rows(table, IDS), weights()[IDS])


def test_a_file_without_a_table(tmp_path):
    forge = forge_of(TEXT)
    del forge.tensors["token_embd.weight"]
    assert read_token_table(forge.write(tmp_path / "text.gguf")) is None


def test_a_path_that_was_relative(load, tmp_path, monkeypatch):
    shutil.copy(TEXT, tmp_path / "text.gguf")
    monkeypatch.chdir(tmp_path)
    llama = load("text.gguf")
    table = token_table(llama)
    monkeypatch.chdir("/")
    assert token_table(llama) is table is not None


def test_an_adapter_may_change_the_table(load, monkeypatch):
    llama = load()
    monkeypatch.setattr(llama, "lora_path", "adapter.gguf")
    assert token_table(llama) is None


def lengthen(path):
    with open(path, "ab") as file:
        file.write(b"\0")


CHANGES = {
    "gone": os.unlink,
    "replaced": lambda path: os.replace(shutil.copy(TEXT, f"{path}.new"), path),
    "longer": lengthen,
    "touched": os.utime,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("used", [False, True])
def test_a_file_that_is_not_what_was_loaded(load, change, used, monkeypatch):
    """Then text and images are evaluated apart, from the weights that llama.cpp has."""
    llama = load()
    if used:
        assert token_table(llama) is not None
    prefill(llama, PROMPT, Timings())
    right = logits(llama)
    llama.reset()
    if not used:
        module._tables.clear()
    time.sleep(0.05)  # the clock of files ticks every few milliseconds
    CHANGES[change](llama.model_path)
    assert token_table(llama) is None
    prefill(llama, PROMPT, Timings())
    np.testing.assert_allclose(logits(llama), right, atol=1e-3)


@pytest.mark.parametrize("change", ["gone", "replaced", "longer"])
def test_a_file_that_changes_while_it_is_read(load, change):
    table = token_table(load())
    CHANGES[change](table.path)
    said = "cannot be read any more" if change == "gone" else "was changed while its model was in use"
    with pytest.raises(ModelFormatError, match=rf"text.gguf .*{said}"):
        token_rows(table, IDS)


def test_other_widths_are_left_to_the_check_of_rows(load):
    llama = load()
    with pytest.raises(InputError, match=r"rows are 64 wide, the language model takes 128"):
        prefill(llama, [IDS, rows_of(IMAGE.rows[:, :64].copy()), IDS], Timings())
    assert llama.n_tokens == len(IDS)


def test_logits_of_the_last_row_alone(load):
    llama = load()
    rows = weights()[IDS]
    _core.prefill_rows(llama._ctx.ctx, rows, 0, 3, True)
    found = logits(llama)
    llama.reset()
    llama.eval(IDS)
    np.testing.assert_allclose(found, logits(llama), atol=1e-3)
