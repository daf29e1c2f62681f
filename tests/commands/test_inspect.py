"""`hired-gguf inspect`: the facts of a mmproj as a table and as JSON."""

from __future__ import annotations

import json

import gguf
import pytest
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, TEXT


def test_inspect_table(run):
    code, out, err = run("inspect", MMPROJ)
    assert (code, err) == (0, "")
    assert "3 run, of 3 in the file" in out
    assert "spatial_unpad" in out
    rows = [line.split() for line in out.splitlines() if " x " in line and line.split()[-1].isdecimal()]
    assert ["112", "x", "112", "5", "80", "88", "32", "16", "8"] in rows


def test_inspect_json_agrees_with_an_answer(run):
    facts = json.loads(run("inspect", MMPROJ, "--json", "--budget", "0.5", "--budget", "70")[1])
    assert (facts["heads"], facts["tile"], facts["patch"], facts["projector_width"]) == (4, 56, 14, 128)
    first, third = facts["grids"][0], facts["grids"][2]
    assert first == {
        "grid": [56, 112],
        "partitions": 3,
        "tokens": 48,
        "full": 52,
        "kept": {"0.5": 24, "70": None},
    }
    assert third["kept"] == {"0.5": 40, "70": 70}


# The language model


@pytest.fixture
def named(tmp_path):
    def make(name, **keys):
        string = gguf.GGUFValueType.STRING
        keys = {key: (value, string) for key, value in {"general.name": name, **keys}.items()}
        tokens = gguf.GGUFReader(TEXT).fields["tokenizer.ggml.tokens"].contents()
        tokens[-1] = "<|endoftext|>"  # llama.cpp wants it of a Phi-3
        return rewrite(TEXT, tmp_path / "text.gguf", keys={**keys, "tokenizer.ggml.tokens": tokens})

    return make


@pytest.mark.parametrize(
    ("name", "template", "why"),
    [
        ("llava-llama-3-8b", "llama-3", "general.name is 'llava-llama-3-8b'"),
        ("llava-phi-3 mini", "phi-3", "general.name is 'llava-phi-3 mini'"),
        ("weights", "vicuna", "nothing in it names another"),
    ],
)
def test_inspect_tells_the_template_and_why(run, named, name, template, why):
    model = named(name)
    code, out, err = run("inspect", MMPROJ, "--model", model)
    assert (code, err) == (0, "")
    assert "spatial_unpad" in out
    (row,) = [line for line in out.splitlines() if line.startswith("  template ")]
    assert row.split(maxsplit=1)[1].startswith(f"{template}: the model file has no chat template, and ")
    assert why in row
    facts = json.loads(run("inspect", MMPROJ, "--model", model, "--json")[1])["model"]
    assert (facts["chat_template"], facts["name"], facts["width"]) == (template, name, 128)
    assert why in facts["chat_template_why"]


def test_inspect_of_a_language_model_alone(run, named):
    own = named("x", **{"tokenizer.chat_template": "{{ messages[0].content }}"})
    code, out, err = run("inspect", "--model", own)
    assert (code, err) == (0, "")
    assert "  template     the file's own, tokenizer.chat_template: the file carries it" in out
    assert json.loads(run("inspect", "--model", own, "--json")[1])["architecture"] == "llama"


def test_inspect_of_34b_tells_the_exception(run, named):
    own = named("LLaVA v1.6 34B", **{"tokenizer.chat_template": "<|im_start|>{{ messages[0].content }}"})
    assert (
        "  template     chatml: LLaVA-1.6-34B was trained with this one" in run("inspect", "--model", own)[1]
    )


def test_inspect_of_nothing_and_of_no_pair(run, tmp_path):
    code, out, err = run("inspect")
    assert (code, out) == (2, "")
    assert "give a mmproj file, a language model with --model, or both" in err
    narrow = dict.fromkeys(("mm.2.weight", "mm.2.bias", "model.image_newline"), lambda values: values[:64])
    code, out, err = run("inspect", rewrite(MMPROJ, tmp_path / "n.gguf", tensors=narrow), "--model", TEXT)
    assert (code, out) == (1, "")
    assert "these files are not a pair" in err
