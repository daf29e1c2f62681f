"""Options of sampling reach llama-cpp-python, and wrong ones are refused before anything is evaluated."""

from __future__ import annotations

import re

import pytest
from bare_handler import QUESTION, TOOL, greedy, llama_of, words
from golden_pair import answer_of, text_of

from hired_gguf import PromptError

EOS = 2


def test_stop_strings_are_cut(llama):
    whole = words(llama, max_tokens=20)
    stop = whole[6:9]
    short = whole[: whole.index(stop)]
    for given in (stop, [stop], ["never said", stop]):
        completion = greedy(llama, max_tokens=20, stop=given)
        assert answer_of(completion) == short
        assert completion["choices"][0]["finish_reason"] == "stop"
        chunks = list(greedy(llama, max_tokens=20, stop=given, stream=True))
        assert text_of(chunks) == short
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_end_of_text_stops(llama, handler):
    completion = greedy(llama, logit_bias={EOS: 1000.0})
    assert answer_of(completion) == ""
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert handler.last_run.completion_tokens == 1


def test_logit_bias_forces_a_token(llama):
    (token,) = llama.tokenize(b"image", add_bos=False)
    for key in (token, str(token)):
        assert words(llama, logit_bias={key: 1000.0}, max_tokens=3) == " image" * 3


def test_a_seed_makes_answers_repeatable(llama):
    def sample(seed):
        return answer_of(llama.create_chat_completion(QUESTION, max_tokens=10, temperature=1.0, seed=seed))

    answers = [sample(seed) for seed in range(4)]
    assert len(set(answers)) > 1
    assert [sample(seed) for seed in range(4)] == answers


def test_the_caller_may_leave_everything_out(llama, handler):
    completion = handler(
        llama=llama, messages=QUESTION, max_tokens=3, temperature=None, top_p=None, seed=None
    )
    assert completion["usage"]["completion_tokens"] == 3


def test_logprobs(tiny):
    with llama_of(tiny, logits_all=True) as llama:
        llama.scores[:] = 1e38  # they start uninitialised
        llama.scores[:, 0] = -3e38
        right = words(llama)
        choice = greedy(llama, logprobs=True, top_logprobs=3)["choices"][0]
        assert choice["message"]["content"] == right
        content = choice["logprobs"]["content"]
        assert len(content) == 10
        for token in content:
            assert len(token["top_logprobs"]) == 3
            best = max(token["top_logprobs"], key=lambda top: top["logprob"])
            assert best["token"] == token["token"]  # greedy takes the best
            assert best["logprob"] == pytest.approx(token["logprob"])
            assert token["logprob"] < 0
        streamed = list(greedy(llama, logprobs=True, top_logprobs=3, stream=True))
        assert text_of(streamed) == right


def test_logprobs_are_refused_before_the_prompt_is_evaluated(llama, encodings):
    with pytest.raises(PromptError, match=r"logprobs need Llama\(logits_all=True\)"):
        greedy(llama, logprobs=True)
    assert encodings == []


# Refusals


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": -1}, "temperature is -1"),
        ({"top_p": float("inf")}, "top_p is inf"),
        ({"top_k": 2**40}, "top_k is 1099511627776"),
        ({"seed": -1}, "seed is -1"),
        ({"max_tokens": "many"}, "max_tokens is 'many'"),
        ({"logit_bias": {100_000: 1.0}}, "logit_bias names token 100000"),
        ({"response_format": {"type": "xml"}}, "response_format.type is 'xml'"),
        ({"tools": [TOOL], "tool_choice": {"function": {"name": "fig"}}}, "tool_choice names 'fig'"),
        ({"logprobs": True}, "logprobs need"),
        ({"stop": ""}, "stop is an empty string"),
        ({"stop": ["a", None]}, "stop[1] is None"),
        ({"images": ["a.png"]}, "images is not read, and may hold a picture"),
    ],
)
def test_bad_options_are_refused_first(llama, handler, encodings, options, said):
    with pytest.raises(PromptError, match=re.escape(said)):
        handler(llama=llama, messages=QUESTION, **options)
    assert encodings == []
