"""Images and the room in the context: what does not fit is refused before it is encoded."""

from __future__ import annotations

import re

import pytest
from bare_handler import QUESTION, greedy, llama_of, words
from golden_pair import answer_of, image, photo, user

from hired_gguf import ContextOverflowError


def test_a_prompt_that_leaves_room_for_one_token(tiny, handler, llama):
    needed = handler(llama=llama, messages=QUESTION, max_tokens=1)["usage"]["prompt_tokens"]
    with llama_of(tiny, n_ctx=needed + 1, budget=1.0) as exact:
        completion = greedy(exact)
        assert completion["usage"]["completion_tokens"] == 1
        assert answer_of(completion) == words(llama, max_tokens=1)
    with llama_of(tiny, n_ctx=needed, budget=1.0) as short, pytest.raises(ContextOverflowError):
        greedy(short)


def test_overflow_is_refused_before_anything_is_encoded(tiny, llama, handler, encodings):
    full = handler(llama=llama, messages=QUESTION, max_tokens=1)["usage"]["prompt_tokens"]
    encodings.clear()
    n_ctx = full - 50
    with llama_of(tiny, n_ctx=n_ctx, budget=1.0) as short:
        with pytest.raises(ContextOverflowError) as refused:
            greedy(short)
        assert encodings == []
        said = str(refused.value)
        assert f"needs {full + 1} tokens ({full - 88} of text, 88 visual, 1 for the answer)" in said
        assert f"holds {n_ctx} (n_ctx): make n_ctx at least {full + 1}" in said
        budget, rows = re.search(r"or budget at most (0\.\d\d) \((\d+) visual tokens\)", said).groups()
        completion = short.chat_handler(
            llama=short, messages=QUESTION, budget=float(budget), max_tokens=None, temperature=0
        )
        assert short.chat_handler.last_run.visual_tokens == int(rows)
        assert completion["usage"]["total_tokens"] <= n_ctx
        with pytest.raises(ContextOverflowError):  # the next larger one does not fit
            short.chat_handler(llama=short, messages=QUESTION, budget=float(budget) + 0.03)


def test_overflow_that_no_budget_helps(tiny, encodings):
    with llama_of(tiny, n_ctx=64, budget=1.0) as short:
        with pytest.raises(ContextOverflowError, match="no budget fits"):
            greedy(short, [user(image(photo()), "What is this? " * 20)])
        with pytest.raises(ContextOverflowError, match="or ask less"):
            greedy(short, [user("What is this? " * 20)])
    assert encodings == []


def test_images_add_up(tiny, encodings):
    with llama_of(tiny, n_ctx=300, budget=1.0, template="mistral") as llama:
        two = [user(image(photo()), image(photo("chelsea")), image(photo("coffee")), "Q")]
        with pytest.raises(ContextOverflowError, match="294 visual"):
            greedy(llama, [user(*two[0]["content"], image(photo()))])
        assert greedy(llama, [user(image(photo("rocket")), "Q")])["usage"]["completion_tokens"] == 10
    assert len(encodings) == 1
