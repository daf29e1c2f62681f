"""Questions about drawn pictures, and configurations, for the tests of evaluation."""

from __future__ import annotations

from functools import partial

from pictures import picture

from hired_gguf.evaluation import Configuration, EvalPicture, EvalQuestion

FULL, FEW, LOTS = Configuration(1.0), Configuration(0.25), Configuration(0.25, selection="random")
NOTHING = Configuration(selection="none").plain()


def asked(name, size, *texts, answers=("never",)):
    """Questions about a drawn picture."""
    questions = tuple(EvalQuestion(f"{name}.{i}", text, answers) for i, text in enumerate(texts))
    return EvalPicture(name, partial(picture, *size), questions)
