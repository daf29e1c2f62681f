"""Every error: its family, the C++ errors that become it, and texts that say where and what."""

from __future__ import annotations

import inspect
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from golden_pair import MMPROJ

import hired_gguf
from hired_gguf import _core, errors
from hired_gguf.images.load import load_image
from hired_gguf.prompt.answer_formats import answer_grammar
from hired_gguf.prompt.templates import choose_template, render

FAMILY = {
    "ModelFormatError": ValueError,
    "UnsupportedModelError": errors.ModelFormatError,
    "ModelMismatchError": ValueError,
    "ImageError": ValueError,
    "BudgetError": ValueError,
    "InputError": ValueError,
    "PromptError": ValueError,
    "AnswerError": ValueError,
    "OutputError": ValueError,
    "FileError": OSError,
    "ContextOverflowError": ValueError,
    "NumericError": ArithmeticError,
    "ClosedError": RuntimeError,
    "StreamError": RuntimeError,
    "ForkError": RuntimeError,
    "CrashError": RuntimeError,
    "NativeError": RuntimeError,
}
TILING = _core.make_tiling((100, 100), [(56, 56)], 56, 14)
ATTENTION = np.ones((2, 4, 16), np.float32)


def test_the_table_is_complete():
    classes = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}
    assert classes == {"HiredError", *FAMILY}
    assert classes <= set(hired_gguf.__all__)


@pytest.mark.parametrize("name", FAMILY)
def test_family(name):
    error = getattr(errors, name)
    assert getattr(hired_gguf, name) is error
    assert issubclass(error, errors.HiredError)
    assert issubclass(error, FAMILY[name])
    assert (type(pickle.loads(pickle.dumps(error("x")))), str(error("x"))) == (error, "x")


def select(first=ATTENTION, last=ATTENTION, tokens=8, alpha=0.5, allocation="hired"):
    return _core.select(first, last, TILING, tokens, alpha, allocation)


@pytest.mark.parametrize(
    ("error", "said", "work"),
    [
        ("BudgetError", r"\[budget\] .*33", lambda: _core.budget_tokens(33, 2, 16)),
        ("BudgetError", r"\[", lambda: _core.budget_tokens(1.5, 2, 16)),
        ("BudgetError", r"\[.*\] .*'best'", lambda: select(allocation="best")),
        (
            "BudgetError",
            r"\[.*\] .*'maybe'",
            lambda: _core.pack_order(np.ones((2, 16), bool), TILING, "maybe"),
        ),
        ("InputError", r"\[", lambda: _core.make_tiling((0, 5), [], 56, 14)),
        ("InputError", r"\[", lambda: select(first=ATTENTION[:1])),
        ("InputError", r"\[", lambda: select(last=-ATTENTION)),
        ("NumericError", r"\[", lambda: select(first=ATTENTION * np.nan)),
        ("InputError", r"\[device\] 'x'", lambda: _core.VisionModel(str(MMPROJ), "x")),
        (
            "NativeError",
            r"\[vision\] no-such-file was not loaded: ",
            lambda: _core.VisionModel("no-such-file"),
        ),
    ],
)
def test_errors_of_the_core(error, said, work):
    """Each C++ class arrives as the Python class of that name, and its text opens with the operation."""
    with pytest.raises(errors.HiredError) as caught:
        work()
    assert caught.type is getattr(errors, error)
    assert re.match(said, str(caught.value))
    assert "0x" not in str(caught.value)


# Memory that runs out is nobody's fault but the machine's: no message blames the input


class Unbearable:
    def __str__(self):
        raise MemoryError


def test_no_memory_for_a_picture(monkeypatch):
    monkeypatch.setattr("hired_gguf.images.load._open", lambda *_: str(Unbearable()))
    with pytest.raises(MemoryError):
        load_image(b"\x89PNG\r\n\x1a\n")


def test_no_memory_for_a_prompt():
    template = choose_template("vicuna", None)
    with pytest.raises(MemoryError):
        render(replace(template, source="{{ heavy }}"), [], "", "", {"heavy": Unbearable()})


def test_no_memory_for_a_grammar(monkeypatch):
    monkeypatch.setattr("hired_gguf.prompt.json_schema.json.loads", lambda _: str(Unbearable()))
    schema = {"title": "no other test has this one, so its grammar is not kept"}
    with pytest.raises(MemoryError):
        answer_grammar({"type": "json_schema", "json_schema": {"schema": schema}}, None)
