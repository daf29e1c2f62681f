"""Language models that would end the process at their first prompt are refused, or are no language models."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from gguf_forge import Forge, Tensor
from gguf_parts import forge_of
from golden_pair import TEXT

from hired_gguf.errors import ModelFormatError, UnsupportedModelError
from hired_gguf.model_files.pair import read_text_model
from hired_gguf.model_files.text_checks import ID_TABLES

EPS = "llama.attention.layer_norm_rms_epsilon"
TOKENS = "tokenizer.ggml.tokens"


@pytest.fixture
def golden() -> Forge:
    return forge_of(TEXT)


def refuse(forge: Forge, folder: Path, *words: str, error=ModelFormatError) -> None:
    with pytest.raises(error) as caught:
        read_text_model(forge.write(folder / "text.gguf"))
    assert caught.type is error
    for word in ("text.gguf", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, -1e-9, 1e30, 0.2])
def test_epsilon(value: float, golden: Forge, tmp_path: Path) -> None:
    golden.metadata[EPS] = ("f32", value)
    refuse(golden, tmp_path, EPS)


@pytest.mark.parametrize("key", ["rope.freq_base", "attention.scale", "rope.scaling.factor", "logit_scale"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite(key: str, value: float, golden: Forge, tmp_path: Path) -> None:
    golden.metadata[f"llama.{key}"] = ("f32", value)
    refuse(golden, tmp_path, f"llama.{key} is", "finite")


def test_a_base_of_nothing(golden: Forge, tmp_path: Path) -> None:
    golden.metadata["llama.rope.freq_base"] = ("f32", 0.0)
    refuse(golden, tmp_path, "llama.rope.freq_base is 0.0; more than 0")


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "I32"])
@pytest.mark.parametrize("name", ["output_norm.weight", "blk.1.attn_norm.weight", "blk.0.attn_q.bias"])
def test_norms_and_biases_are_f32(name: str, kind: str, golden: Forge, tmp_path: Path) -> None:
    golden.tensors[name] = Tensor((128,), kind)
    refuse(golden, tmp_path, f"'{name}' has the type {kind}; F32 is needed")


@pytest.mark.parametrize("kind", ["I8", "I16", "I32", "I64", "F64"])
@pytest.mark.parametrize("name", ["token_embd.weight", "output.weight", "blk.1.ffn_down.weight"])
def test_weights_are_no_integers(name: str, kind: str, golden: Forge, tmp_path: Path) -> None:
    golden.tensors[name].type = kind
    refuse(golden, tmp_path, f"'{name}' has the type {kind}, which no weights have")


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0", "Q5_1"])
def test_types_that_weights_have(kind: str, golden: Forge, tmp_path: Path) -> None:
    for tensor in golden.tensors.values():
        tensor.type = kind if len(tensor.shape) > 1 else "F32"
    golden.tensors[f"blk.0.ffn_gate_{ID_TABLES[0]}"] = Tensor((4, 4), "I32")
    assert read_text_model(golden.write(tmp_path / "text.gguf")).file_type == kind


def test_bytes_that_the_vocabulary_lacks(golden: Forge, tmp_path: Path) -> None:
    kind, tokens = golden.metadata[TOKENS]
    golden.metadata[TOKENS] = (kind, ["x" + t if re.match(r"<0x(F0|9F)>", t) else t for t in tokens])
    refuse(golden, tmp_path, TOKENS, "lacks 2 byte tokens, such as '<0x9F>'")
    golden.metadata[TOKENS] = (kind, [t.replace("<0x", "<1x") for t in tokens])
    refuse(golden, tmp_path, "byte tokens, such as '<0x00>'")
    golden.metadata["tokenizer.ggml.model"] = ("str", "gpt2")  # of that kind llama.cpp leaves bytes out
    read_text_model(golden.write(tmp_path / "text.gguf"))


def test_bytes_that_no_text_has_may_be_missing_and_letters_stand_for_themselves(golden, tmp_path) -> None:
    kind, tokens = golden.metadata[TOKENS]
    spelled = {"<0xFF>": "none", "<0xC0>": "nor", "<0x7E>": "~", "<0x41>": "A"}
    others = [t for t in tokens if t not in spelled.values()]
    golden.metadata[TOKENS] = (kind, [spelled.get(t, t) for t in others])
    read_text_model(golden.write(tmp_path / "text.gguf"))


def test_a_token_twice(golden: Forge, tmp_path: Path) -> None:
    kind, tokens = golden.metadata[TOKENS]
    golden.metadata[TOKENS] = (kind, [*tokens[:-1], tokens[290]])
    refuse(golden, tmp_path, TOKENS, "twice, the second time as token 319")
    golden.metadata[TOKENS] = (kind, [*tokens[:-2], "", ""])  # llama.cpp gives these names
    read_text_model(golden.write(tmp_path / "text.gguf"))


@pytest.mark.parametrize(
    ("key", "typed", "word"),
    [
        ("tokenizer.ggml.model", None, "is missing"),
        ("tokenizer.ggml.model", ("str", "no_vocab"), "has another vocabulary"),
        ("tokenizer.ggml.model", ("u32", 1), "has the type u32"),
        (TOKENS, None, "is missing or no array of strings"),
        (TOKENS, ("array[i32]", [1, 2]), "is missing or no array of strings"),
        (TOKENS, ("array[str]", []), "has 0 tokens"),
        ("llama.context_length", ("u32", 2**31 - 1), "1 to 67108864 is allowed"),
        ("llama.context_length", ("u32", 0), "is 0"),
        ("llama.block_count", ("u32", 0), "is 0; 1 to 512"),
        ("llama.block_count", ("u32", 513), "is 513; 1 to 512"),
        ("llama.block_count", ("u64", 2), "has the type u64"),
        ("llama.block_count", None, "is missing"),
        ("tokenizer.ggml.model", ("str", "bert"), "has another vocabulary"),
        ("tokenizer.ggml.scores", None, "is missing"),
        ("tokenizer.ggml.token_type", None, "is missing"),
    ],
)
def test_bad_vocabularies_and_contexts(key: str, typed, word: str, golden: Forge, tmp_path: Path) -> None:
    golden.metadata.pop(key)
    if typed:
        golden.metadata[key] = typed
    refuse(golden, tmp_path, key, word)


@pytest.mark.parametrize(
    ("key", "content", "word"),
    [
        ("general.type", "adapter", "a LoRA adapter; give the model"),
        ("general.type", "imatrix", "importance matrix"),
        ("general.type", "vocab", "a vocabulary without a model"),
        ("general.type", "mmproj", "swapped"),
        ("general.architecture", "bert", "writes no answers"),
        ("general.architecture", "t5encoder", "writes no answers"),
        ("general.architecture", "whisper", "writes no answers"),
        ("general.architecture", "llada", "a diffusion model: it writes no answers"),
        ("general.architecture", "gemma-embedding", "an encoder: it writes no answers"),
    ],
)
def test_sound_files_that_hold_no_answering_model(key, content, word, golden: Forge, tmp_path: Path) -> None:
    golden.metadata[key] = ("str", content)
    refuse(golden, tmp_path, key, word, error=UnsupportedModelError)


def test_positions_of_several_axes(golden: Forge, tmp_path: Path) -> None:
    golden.metadata["llama.rope.dimension_sections"] = ("array[i32]", [16, 24, 24, 0])
    refuse(golden, tmp_path, "llama.rope.dimension_sections", "M-RoPE", error=UnsupportedModelError)


def test_a_vocabulary_alone_and_a_vision_tower_in_the_same_file(golden: Forge, tmp_path: Path) -> None:
    golden.tensors["v.blk.0.attn_q.weight"] = Tensor((32, 32))
    refuse(golden, tmp_path, "Ollama's own engine", error=UnsupportedModelError)
    golden.tensors.clear()
    refuse(golden, tmp_path, "without a tensor", error=UnsupportedModelError)
