"""HiREDChatHandler as llama-cpp-python's own chat handler: its protocol, its options, its end."""

from __future__ import annotations

import pickle

import pytest
from bare_handler import QUESTION, TEXT_ONLY, greedy, words
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, TEXT, answer_of, photo

from hired_gguf import BudgetError, ClosedError, HiREDChatHandler, ModelMismatchError
from models import load_llama

# The shape of answers


def test_completion(llama, handler, tiny):
    completion = greedy(llama)
    text = completion["choices"][0]["message"].pop("content")
    assert len(text.split()) > 2
    assert completion.pop("id").startswith("chatcmpl-")
    assert isinstance(completion.pop("created"), int)
    run = handler.last_run
    assert run.visual_tokens == run.visual_tokens_full == 88
    assert completion == {
        "object": "chat.completion",
        "model": str(tiny[0]),
        "choices": [
            {"index": 0, "message": {"role": "assistant"}, "logprobs": None, "finish_reason": "length"}
        ],
        "usage": {
            "prompt_tokens": run.prompt_tokens,
            "completion_tokens": 10,
            "total_tokens": run.prompt_tokens + 10,
            "prompt_tokens_details": {"cached_tokens": run.reused_tokens},
        },
    }


# Options


def test_budget_for_one_call(llama, handler):
    at_eight = answer_of(handler(llama=llama, messages=QUESTION, budget=8, max_tokens=10, temperature=0))
    assert handler.last_run.visual_tokens == 8
    assert handler.token_budget.budget == 1.0
    assert at_eight != words(llama)
    assert handler.last_run.visual_tokens == 88
    handler(llama=llama, messages=QUESTION, budget=0.5, alpha=1.0, allocation="uniform", newlines="keep")
    config = handler.last_run.selections[0].config
    assert (config.budget, config.alpha, config.allocation, config.newlines) == (0.5, 1.0, "uniform", "keep")


@pytest.mark.parametrize("budget", [0, -1, 0.0, 1.01, float("nan"), "20 %", True, None, 81])
def test_bad_budgets_are_refused_first(llama, handler, encodings, budget):
    with pytest.raises(BudgetError):
        handler(llama=llama, messages=QUESTION, budget=budget)
    assert encodings == []


def test_pickle(tiny, llama):
    handler = HiREDChatHandler(tiny[1], budget=0.5, alpha=0.25, template="mistral", n_threads=1)
    right = handler(llama=llama, messages=QUESTION, max_tokens=10, temperature=0)
    copy = pickle.loads(pickle.dumps(handler))
    assert copy.token_budget == handler.token_budget
    assert copy.template == "mistral"
    assert copy.last_run.prompt_tokens == 0
    ours = copy(llama=llama, messages=QUESTION, max_tokens=10, temperature=0)
    assert answer_of(ours) == answer_of(right)
    assert ours["usage"]["total_tokens"] == right["usage"]["total_tokens"]
    handler.close()
    copy.close()


def test_a_llama_with_its_handler_can_be_pickled(llama):
    copy = pickle.loads(pickle.dumps(llama))
    assert words(copy) == words(llama)
    copy.chat_handler.close()
    copy.close()


def test_close_frees_and_the_next_image_loads_again(tiny, llama):
    handler = HiREDChatHandler(tiny[1], n_threads=1)
    right = answer_of(handler(llama=llama, messages=QUESTION, max_tokens=5, temperature=0))
    encoder = handler.load()
    handler.close()
    handler.close()
    with pytest.raises(ClosedError, match="this VisionEncoder is closed"):
        encoder.encode(photo())
    assert answer_of(handler(llama=llama, messages=QUESTION, max_tokens=5, temperature=0)) == right
    handler.close()


def test_text_needs_no_encoder(tiny, llama):
    handler = HiREDChatHandler(tiny[1])
    handler(llama=llama, messages=TEXT_ONLY, max_tokens=1)
    assert handler._encoder is None


# Refusals


def test_width_mismatch(tiny, llama, tmp_path):
    narrow = dict.fromkeys(("mm.2.weight", "mm.2.bias", "model.image_newline"), lambda values: values[:64])
    handler = HiREDChatHandler(rewrite(tiny[1], tmp_path / "narrow.gguf", tensors=narrow))
    for _ in range(3):
        with pytest.raises(ModelMismatchError, match=r"projects to width 64, but .* has width 128"):
            handler(llama=llama, messages=QUESTION)
    assert handler._encoder is None


def test_swapped_paths(tiny):
    with pytest.raises(ModelMismatchError, match="Are the two paths swapped"):
        HiREDChatHandler(tiny[0])


def test_a_closed_llama(tiny, handler):
    llama = load_llama(tiny[0], chat_handler=handler)
    llama.close()
    with pytest.raises(ClosedError, match="this Llama is closed"):
        handler(llama=llama, messages=TEXT_ONLY)


def test_the_golden_pair_answers_too(golden_llama):
    handler = HiREDChatHandler(MMPROJ, budget=0.2, n_threads=1)
    completion = handler(llama=golden_llama, messages=QUESTION, max_tokens=5)
    assert completion["usage"]["completion_tokens"] <= 5 + 3  # the rest of a character
    assert handler.last_run.visual_tokens == 16
    assert golden_llama.model_path == str(TEXT)
    handler.close()
