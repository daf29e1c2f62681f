"""Answers with the logits after them, and what a context holds."""

from __future__ import annotations

import llama_cpp
import numpy as np
from golden_pair import answer_of, image, photo, user

from hired_gguf.context.prefill import state_of

SEEN = [user(image(photo()), "What is this?")]
AGAIN = [user(image(photo()), "Who is in the picture?")]
OTHER = [user(image(photo("chelsea")), "What is this?")]
WORDS = [user("What is a picture?")]


def logits(llama):
    """Those of the last position."""
    return np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(llama.n_vocab(),)).copy()


def positions(llama):
    """How many positions llama.cpp has filled."""
    return llama_cpp.llama_memory_seq_pos_max(llama_cpp.llama_get_memory(llama._ctx.ctx), 0) + 1


def assert_close(logits, right):
    assert np.abs(logits - right).max() <= 1e-4 * np.abs(right).max()


def ask(llama, messages, handler=None, **options):
    """Text, and the logits after it."""
    handler = handler or llama.chat_handler
    options = {"max_tokens": 8, "temperature": 0, **options}
    return answer_of(handler(llama=llama, messages=messages, **options)), logits(llama)


def shown(array):
    """An array of pixels as a part of a message."""
    return {"type": "image", "image": array}


def image_of(llama, number=0):
    """Where an image stands."""
    return state_of(llama).ledger.images[number]
