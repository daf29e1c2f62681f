"""The random-weights pairs: laid out as the golden files, tokenised as text, alive when decoded."""

from __future__ import annotations

import re
from itertools import islice

import gguf
import llama_cpp
import numpy as np
import pytest
from paths import ROOT

from hired_gguf.errors import InputError
from hired_gguf.synthetic.chat_templates import CHAT_TEMPLATES
from hired_gguf.synthetic.english import WORDS
from hired_gguf.synthetic.shapes import SHAPES, Shape
from hired_gguf.synthetic.synthesize import synthesize
from hired_gguf.synthetic.vocabulary import FIRST_PIECE, build_vocabulary

GOLDEN = ROOT / "tests" / "golden" / "hf_tiny"
PROMPT = b"USER: What does the sign say? ASSISTANT:"


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    return synthesize("tiny", tmp_path_factory.mktemp("tiny"))


def load(path, **options):
    return llama_cpp.Llama(str(path), verbose=False, **options)


def greedy(llama, prompt, count=12):
    llama.reset()
    return list(islice(llama.generate(llama.tokenize(prompt), temp=0), count))


def layout(path):
    """Key types, and tensor shapes with the number of text tokens taken out."""
    reader = gguf.GGUFReader(path)
    rows = (
        len(reader.fields["tokenizer.ggml.tokens"].data) if "tokenizer.ggml.tokens" in reader.fields else -1
    )
    keys = {key: [kind.name for kind in field.types] for key, field in reader.fields.items()}
    tensors = {
        t.name: (["V" if n == rows else int(n) for n in t.shape], t.tensor_type) for t in reader.tensors
    }
    return keys, tensors


@pytest.mark.parametrize("part", ["text", "mmproj"])
def test_layout_is_the_golden_pairs(pair, part):
    keys, tensors = layout(pair[part == "mmproj"])
    golden_keys, golden_tensors = layout(GOLDEN / f"{part}-f32.gguf")
    assert list(tensors.items()) == list(golden_tensors.items())
    assert {key: keys.get(key) for key in golden_keys} == golden_keys
    assert set(keys) - set(golden_keys) <= {
        "general.name",
        "general.description",
        "general.file_type",
        "general.quantization_version",
        "llama.rope.dimension_count",
        "llama.rope.freq_base",
        "tokenizer.ggml.add_bos_token",
    }


def test_mmproj_values_are_the_golden_files(pair):
    ours, golden = (gguf.GGUFReader(path).fields for path in (pair[1], GOLDEN / "mmproj-f32.gguf"))
    for key in golden:
        if key.startswith("clip."):
            assert ours[key].contents() == golden[key].contents(), key
    assert "random weights" in ours["general.name"].contents()


def test_llava_1_5_has_no_tiles(tmp_path, monkeypatch):
    monkeypatch.setitem(SHAPES, "plain", Shape(SHAPES["tiny"].text, SHAPES["tiny"].vision, anyres=False))
    keys, tensors = layout(synthesize("plain", tmp_path)[1])
    assert "model.image_newline" not in tensors
    assert not any("pinpoints" in key or "merge_type" in key for key in keys)


@pytest.mark.parametrize(
    ("quant", "matrix", "output"), [("f16", "F16", "F16"), ("q8_0", "Q8_0", "Q8_0"), ("q4_0", "Q4_0", "Q8_0")]
)
def test_types_and_scales(pair, tmp_path, quant, matrix, output):
    text, mmproj = synthesize("tiny", tmp_path, quant)
    types = {t.name: t.tensor_type.name for path in (text, mmproj) for t in gguf.GGUFReader(path).tensors}
    assert types["token_embd.weight"] == types["blk.0.ffn_down.weight"] == matrix
    assert types["output.weight"] == output
    assert types["v.blk.0.attn_q.weight"] == types["mm.2.weight"] == "F16"
    assert types["v.patch_embd.weight"] == types["v.position_embd.weight"] == "F16"
    for name in ("v.class_embd", "model.image_newline", "v.pre_ln.bias", "mm.0.bias", "output_norm.weight"):
        assert types[name] == "F32"
    exact = {t.name: t.data for t in gguf.GGUFReader(pair[0]).tensors}
    for tensor in gguf.GGUFReader(text).tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.std(values) == pytest.approx(np.std(exact[tensor.name]), rel=0.1), tensor.name
        assert np.mean(values) == pytest.approx(np.mean(exact[tensor.name]), abs=0.02), tensor.name


@pytest.mark.parametrize("quant", ["f32", "f16", "q8_0", "q4_0"])
def test_every_type_decodes_finite_varied_tokens(tmp_path, quant):
    text, _ = synthesize("tiny", tmp_path, quant)
    # One token at a time: GCC 12 miscompiles ggml's AMX products of several rows (they crash).
    llama = load(text, n_ctx=256, n_batch=1, logits_all=True)
    tokens = greedy(llama, PROMPT)
    assert np.isfinite(llama.scores[: llama.n_tokens]).all()
    assert np.std(llama.scores[llama.n_tokens - 1, FIRST_PIECE:]) > 1
    assert len(set(tokens)) > 4
    assert min(tokens) >= FIRST_PIECE
    assert tokens != greedy(llama, PROMPT.replace(b"sign", b"image"))


def test_ids_and_flags(pair):
    llama = load(pair[0], vocab_only=True)
    assert (llama.token_bos(), llama.token_eos()) == (1, 2)
    assert llama.tokenize(b"is")[0] == 1
    assert llama.metadata["tokenizer.ggml.add_bos_token"] == "true"
    assert "tokenizer.chat_template" not in llama.metadata


def test_words_are_single_tokens(tmp_path):
    text, _ = synthesize("small", tmp_path, "q4_0")
    llama = load(text, vocab_only=True)

    def pieces(line):
        return [llama.detokenize([t]).decode() for t in llama.tokenize(line.encode(), add_bos=False)]

    assert pieces(PROMPT.decode()) == [
        *[" USER", ":", " What", " does", " the", " sign"],
        *[" say", "?", " ASSISTANT", ":"],
    ]
    assert pieces("\nWhat colors")[1:] == ["\n", "What", " colors"]
    plain = [word for word in WORDS.split() if word.isalpha()][:400]
    assert pieces(" ".join(plain)) == [" " + word for word in plain]


@pytest.mark.parametrize("line", ["sign", "Zürich 猫 🐈 = 42 €\n\t{}", "naïve\u2581mark", "\x00\x7f"])
def test_any_text_survives_tokenisation(pair, line):
    llama = load(pair[0], vocab_only=True)
    tokens = llama.tokenize(line.encode(), add_bos=False)
    assert 0 not in tokens
    assert llama.detokenize(tokens).decode() == " " + line.replace("\u2581", " ")


def test_vocabulary_has_the_size_asked_for():
    for size in (354, 512, 32000):
        vocabulary = build_vocabulary(size)
        assert len(set(vocabulary.tokens)) == len(vocabulary.scores) == len(vocabulary.types) == size
    with pytest.raises(InputError, match="size is 353; allowed: 354 and more"):
        build_vocabulary(353)


def test_same_seed_same_bytes(pair, tmp_path):
    again = synthesize("tiny", tmp_path / "again")
    other = synthesize("tiny", tmp_path / "other", seed=1)
    for first, second, third in zip(pair, again, other, strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes() != third.read_bytes()


def test_chat_template_and_progress(tmp_path):
    heard = []
    text, mmproj = synthesize(
        "tiny", tmp_path, "q8_0", chat_template="vicuna", on_progress=lambda *step: heard.append(step)
    )
    assert load(text, vocab_only=True).metadata["tokenizer.chat_template"] == CHAT_TEMPLATES["vicuna"]
    for path in (text, mmproj):
        total = sum(tensor.n_elements for tensor in gguf.GGUFReader(path).tensors)
        steps = [(done, of) for name, done, of in heard if name == path.name]
        assert steps == sorted(steps)
        assert steps[-1] == (total, total)
    assert {name for name, *_ in heard} == {text.name, mmproj.name}


def test_interrupted_write_leaves_nothing(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize("tiny", tmp_path, on_progress=interrupt)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": "huge"}, "shape is 'huge'; allowed: tiny, small, llava-1.5-7b, llava-next-7b"),
        ({"layers": 3}, "layers is 3; tiny allows 1 to 2"),
        ({"layers": 0}, "layers is 0; tiny allows 1 to 2"),
        ({"quant": "q5_1"}, "quant is 'q5_1'; allowed: f32, f16, q8_0, q4_0"),
        ({"mmproj_quant": "f8"}, "mmproj_quant is 'f8'; allowed: f32, f16, q8_0, q4_0"),
        ({"chat_template": "alpaca"}, "chat_template is 'alpaca'; allowed: vicuna, mistral, chatml"),
    ],
)
def test_unknown_names_are_refused(tmp_path, wrong, message):
    with pytest.raises(InputError, match=re.escape(message)):
        synthesize(**{"shape": "tiny", "folder": tmp_path / "none", **wrong})
    assert not list(tmp_path.iterdir())
