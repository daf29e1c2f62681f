"""Every command that takes a model says in one line what a file is that is none, before it loads anything."""

from __future__ import annotations

import json
import math

import pytest
from command_line import COFFEE
from gguf_parts import forge_of, split
from golden_pair import MMPROJ, TEXT
from llava_layouts import LAYOUTS, write
from wrong_downloads import WRONG

from hired_gguf import HiREDChatHandler, LlavaNext, VisionEncoder
from hired_gguf.errors import ModelFormatError
from hired_gguf.model_files.quantize import quantize_mmproj
from models import load_llama

KINDS = ("LFS pointer", "HTML", "cut in its data", "zip", "empty", "safetensors")
PAIRED = {
    "ask": ("ask", COFFEE, "What?"),
    "explain": ("explain", COFFEE, "--question", "What?", "--out", "a.png"),
    "qa": ("qa", "--images", COFFEE, "--question", "What?", "--output", "a.jsonl"),
    "eval": ("eval", "--n", "1"),
    "bench": ("bench", "--budgets", "0.5"),
    "chat": ("chat", COFFEE),
}
ALONE = {"inspect": ("inspect",), "quantize": ("quantize",)}


@pytest.fixture
def wrong(own_folder):
    """The wrong files, and a later part of a language model, by kind; with a word of their refusal."""
    found = {}
    for kind in KINDS:
        path = own_folder / f"{kind}.gguf".replace(" ", "-")
        path.write_bytes(WRONG[kind][0])
        found[kind] = path, WRONG[kind][1]
    return {**found, "second part": (split(forge_of(TEXT), own_folder, "text")[1], "part 2 of 3 of a split")}


@pytest.mark.parametrize("kind", [*KINDS, "second part"])
@pytest.mark.parametrize("command", PAIRED)
def test_either_file_of_a_pair(command, kind, wrong, run):
    path, word = wrong[kind]
    for pair in ((path, MMPROJ), (TEXT, path)):
        code, _, err = run(*PAIRED[command], "--model", pair[0], "--mmproj", pair[1])
        assert code != 0
        assert word in err
        assert str(path) in err.replace("\n", "")


@pytest.mark.parametrize("kind", [*KINDS, "second part"])
@pytest.mark.parametrize("command", ALONE)
def test_a_vision_file_alone(command, kind, wrong, run):
    path, word = wrong[kind]
    more = ["out.gguf"] if command == "quantize" else []
    code, printed, err = run(*ALONE[command], path, *more)
    assert (code, printed) == (1, "")
    assert word in err


@pytest.mark.parametrize("kind", [*KINDS, "second part"])
def test_from_python(kind, wrong):
    path, word = wrong[kind]
    roads = (
        lambda: LlavaNext(path, MMPROJ),
        lambda: LlavaNext(TEXT, path),
        lambda: HiREDChatHandler(path),
        lambda: VisionEncoder(path),
        lambda: quantize_mmproj(path, "out.gguf"),
    )
    for road in roads:
        with pytest.raises(ModelFormatError, match=word):
            road()


def test_doctor_finds_the_files_that_options_name(wrong, run, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_MODEL", str(wrong["second part"][0]))
    monkeypatch.setenv("HIRED_GGUF_MMPROJ", str(wrong["LFS pointer"][0]))
    report = json.loads(run("doctor", "--json")[1])
    found = [problem for problem in report["problems"] if ".gguf" in problem["what"]]
    assert "part 2 of 3 of a split GGUF" in found[0]["what"]
    assert "git lfs pull" in found[1]["what"]
    assert "the option mmproj is from" in found[1]["fix"]


def test_doctor_is_content_with_a_sound_pair(run, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_MODEL", str(TEXT))
    monkeypatch.setenv("HIRED_GGUF_MMPROJ", str(MMPROJ))
    assert not [p for p in json.loads(run("doctor", "--json")[1])["problems"] if ".gguf" in p["what"]]


@pytest.fixture
def ollama(tmp_path):
    return write(MMPROJ, tmp_path / "sha256-72d6", LAYOUTS["1.6 of Ollama"])


def test_a_file_without_pinpoints_is_told(ollama, run, own_folder):
    words = "sha256-72d6 holds no pinpoints, so each picture is seen whole, as one partition of 16 tokens"
    asked = run("ask", COFFEE, "What?", "--model", TEXT, "--mmproj", ollama, "--max-tokens", "2")
    explained = run("explain", COFFEE, "--mmproj", ollama)
    assert (asked[0], explained[0]) == (0, 0)
    assert [err.count(words) for _, _, err in (asked, explained)] == [1, 1]
    assert "pinpoints" not in run("explain", COFFEE, "--mmproj", MMPROJ)[2]


def test_inspect_tells_it_too(ollama, run):
    code, out, _ = run("inspect", ollama)
    assert code == 0
    assert "pinpoints    none in the file: each picture is seen whole, as one partition" in out
    assert json.loads(run("inspect", ollama, "--json")[1])["grids"][0]["partitions"] == 1


def test_a_model_that_someone_else_loaded_is_looked_at_before_its_first_prompt(tmp_path):
    """A norm in F16, or epsilon that is no number: llama.cpp loads them, and dies."""
    forge = forge_of(TEXT)
    forge.metadata["llama.attention.layer_norm_rms_epsilon"] = ("f32", math.nan)
    path = forge.write(tmp_path / "text.gguf")
    llama = load_llama(path, chat_handler=HiREDChatHandler(MMPROJ, n_threads=1))
    with pytest.raises(ModelFormatError, match="layer_norm_rms_epsilon is nan"):
        llama.create_chat_completion([{"role": "user", "content": "Hi"}])
    llama.close()
