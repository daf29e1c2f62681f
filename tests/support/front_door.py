"""Questions to a `LlavaNext`."""

from __future__ import annotations

from golden_pair import photo

from hired_gguf import LlavaNext
from models import CONTEXT

QUESTION = "What is this?"


def new(tiny, **options):
    """A model of its own, to be closed by the test."""
    return LlavaNext(*tiny, **{"n_ctx": CONTEXT, "n_threads": 1, **options})


def ask(llm, source=None, question=QUESTION, **options):
    return llm.ask(photo() if source is None else source, question, **{"max_tokens": 12, **options})
