"""Streamed and whole answers are one text, whatever tokens are drawn: the model is made to say them."""

from __future__ import annotations

import json
import math

import llama_cpp
import numpy as np
import pytest
from bare_handler import TEXT_ONLY, greedy, llama_of
from golden_pair import answer_of, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hired_gguf.chat.logprobs import IMPOSSIBLE, Logprobs
from hired_gguf.native.vocabulary import token_bytes

EOS = 2


class Dictation:
    """A logits processor that dictates the tokens of an answer, then the end."""

    def __init__(self, llama, tokens):
        self._tokens, self._start, self._llama = [*tokens, EOS], None, llama

    def __call__(self, ids, scores):
        self._start = len(ids) if self._start is None else self._start
        changed = np.full_like(scores, -1e9)
        changed[self._tokens[min(len(ids) - self._start, len(self._tokens) - 1)]] = 1e9
        return changed


def dictated(llama, tokens, stream, **options):
    processor = llama_cpp.LogitsProcessorList([Dictation(llama, tokens)])
    return llama.chat_handler(
        llama=llama,
        messages=TEXT_ONLY,
        max_tokens=100,
        temperature=0,
        stream=stream,
        logits_processor=processor,
        **options,
    )


def byte_tokens(data):
    return [3 + byte for byte in data]


def expected(llama, tokens, stop=()):
    text = b"".join(token_bytes(llama, token) for token in tokens).decode(errors="replace")
    ends = [(text.index(s) + len(s), text.index(s)) for s in stop if s in text]
    return text[: min(ends)[1]] if ends else text


CHARACTERS = [byte_tokens(text.encode()) for text in ("é", "猫", "🐈", "e\u0301", "a", " ", "\ufffd")]
BROKEN = [byte_tokens(data) for data in (b"\xff", b"\xe7\x8c", b"\xf0\x9f\x90", b"\xa9", b"\xc3")]
SEQUENCES = st.lists(
    st.one_of(st.sampled_from(CHARACTERS), st.sampled_from(BROKEN), st.integers(259, 500).map(lambda i: [i])),
    max_size=10,
).map(lambda parts: [token for part in parts for token in part])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEQUENCES, st.lists(st.sampled_from(["é", "猫", "a ", "猫猫", "\ufffd", "é猫"]), max_size=2))
def test_streamed_is_whole_is_what_the_tokens_say(llama, tokens, stop):
    right = expected(llama, tokens, stop)
    chunks = list(dictated(llama, tokens, True, stop=stop))
    completion = dictated(llama, tokens, False, stop=stop)
    assert text_of(chunks) == answer_of(completion) == right
    reasons = chunks[-1]["choices"][0]["finish_reason"], completion["choices"][0]["finish_reason"]
    assert reasons == ("stop", "stop")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xffcaf\xc3\xa9", "\ufffdcafé"),
        (b"\xff" + "中文🐈".encode(), "\ufffd中文🐈"),
        (b"\xe7\x8c" + "é".encode(), "\ufffdé"),
        (b"a\xf0\x9f", "a\ufffd"),
        ("é".encode() * 20, "é" * 20),
    ],
    ids=["accents", "Chinese", "half a character", "at the end", "sound"],
)
def test_characters_after_a_broken_byte(llama, data, text):
    tokens = byte_tokens(data)
    assert text_of(dictated(llama, tokens, True)) == answer_of(dictated(llama, tokens, False)) == text


def test_a_bias_and_a_processor_go_together(llama):
    """llama-cpp-python drops both."""
    (token,) = llama.tokenize(b"image", add_bos=False)
    forced = dictated(llama, byte_tokens(b"ab"), False, logit_bias={token: 5.0})
    assert answer_of(forced) == "ab"


def test_a_schema_and_a_bias_go_together(llama):
    (token,) = llama.tokenize(b"image", add_bos=False)
    schema = {"type": "json_object", "schema": {"enum": ["yes", "no"]}}
    answer = greedy(llama, response_format=schema, logit_bias={token: 1000.0}, max_tokens=20)
    assert json.loads(answer_of(answer)) in ("yes", "no")


# Logprobs


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_are_numbers_of_json(tiny, stream):
    with llama_of(tiny, logits_all=True) as llama:
        answer = greedy(llama, TEXT_ONLY, logprobs=True, top_logprobs=2, stream=stream)
        chunks = list(answer) if stream else [answer]
        json.dumps(chunks, allow_nan=False)
        entries = [e for c in chunks for e in (c["choices"][0]["logprobs"] or {"content": []})["content"]]
        assert len(entries) == 10
        for entry in entries:
            assert type(entry["logprob"]) is float
            assert math.isfinite(entry["logprob"])


@pytest.mark.parametrize("data", [b"\xff" + "é猫".encode(), b"ab", "🐈".encode()])
def test_every_token_has_its_logprobs_once(tiny, data):
    with llama_of(tiny, logits_all=True) as llama:
        tokens = byte_tokens(data)
        options = {"logprobs": True, "top_logprobs": 1}
        whole = dictated(llama, tokens, False, **options)["choices"][0]["logprobs"]["content"]
        chunks = dictated(llama, tokens, True, **options)
        pieces = [e for c in chunks for e in (c["choices"][0]["logprobs"] or {"content": []})["content"]]
        assert len(whole) == len(tokens)
        assert [e["token"] for e in pieces] == [e["token"] for e in whole]


def test_a_token_that_cannot_be_has_a_number_too(tiny):
    with llama_of(tiny, logits_all=True) as llama:
        entry = greedy(llama, TEXT_ONLY, max_tokens=1, logprobs=True, top_logprobs=5)
        llama.scores[:] = -np.inf
        llama.scores[:, 5] = 1.0
        found = Logprobs(llama, 2)
        found.add(7, 0, 0)
        (own,) = found.release(None)["token_logprobs"]
        assert own == IMPOSSIBLE
        assert entry["choices"][0]["logprobs"]["content"][0]["logprob"] > IMPOSSIBLE
