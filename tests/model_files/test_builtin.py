"""The built-in model: it is there, it is small, and the picture is what it answers from."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import gguf
import pytest

import hired_gguf
from hired_gguf import HiredError, LlavaNext, default_model, read_mmproj
from hired_gguf.evaluation.builtin_tasks import builtin_pictures
from hired_gguf.evaluation.configuration import Configuration
from hired_gguf.evaluation.run import evaluate
from hired_gguf.model_files import builtin
from hired_gguf.model_files.pair import read_text_model
from hired_gguf.synthetic.chat_templates import CHAT_TEMPLATES


def test_is_a_llava_next_that_fits_the_wheel():
    text, mmproj = default_model()
    assert text.stat().st_size + mmproj.stat().st_size < 20e6
    info = read_mmproj(mmproj)
    assert (info.image_size, info.patch_size, info.layers, info.unpad) == (168, 14, 6, True)
    assert len(info.pinpoints) == 5
    assert info.text_width == read_text_model(text).width


def test_its_tokens_are_those_that_the_training_makes():
    vocabulary = import_module("train.question_vocabulary").build()
    fields = gguf.GGUFReader(default_model()[0]).fields
    assert fields["tokenizer.ggml.tokens"].contents() == vocabulary.tokens


def test_its_template_is_the_one_it_was_trained_with():
    assert read_text_model(default_model()[0]).chat_template == CHAT_TEMPLATES["vicuna"]


def test_an_installed_package_holds_the_weights_alone():
    """Of a clone's models/ neither card nor training. A package used in place has no such folder."""
    folder = Path(hired_gguf.__file__).parent / "models"
    assert not folder.exists() or {path.name for path in folder.iterdir()} == set(builtin.NAMES)


def test_answers_from_the_picture():
    configurations = [Configuration(1.0), Configuration(0.4), Configuration(selection="none")]
    with LlavaNext(*default_model(), n_threads=1) as llm:
        results = evaluate(llm, builtin_pictures(24, seed=7), configurations).document({})
    shares = [one["all"]["share"] for one in results["configurations"]]
    assert shares[0] > 0.8
    assert shares[1] > 0.75
    assert shares[2] < 0.45


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(builtin, "__file__", str(tmp_path / "hired_gguf" / "model_files" / "builtin.py"))
    with pytest.raises(HiredError, match=re.escape(builtin.NAMES[0])):
        default_model()
