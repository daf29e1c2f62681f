"""Streams of an answer: what they say, where they end, and what cuts them off."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from bare_handler import OTHER, QUESTION, TEXT_ONLY, greedy, llama_of, words
from golden_pair import answer_of, text_of

from hired_gguf import ClosedError, StreamError
from models import load_llama

# What they say


def test_stream(llama):
    chunks = list(greedy(llama, stream=True))
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["id"] == chunks[0]["id"]
        assert chunk["id"].startswith("chatcmpl-")
        assert [choice["index"] for choice in chunk["choices"]] == [0]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant"}
    assert all(delta.keys() == {"content"} for delta in deltas[1:-1])
    assert deltas[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + [
        "length"
    ]


@pytest.mark.parametrize("messages", [QUESTION, TEXT_ONLY])
def test_the_stream_says_what_the_completion_says(llama, messages):
    assert text_of(greedy(llama, messages, stream=True)) == words(llama, messages)


# Where they end


@pytest.mark.parametrize(
    ("n_ctx", "max_tokens"), [(100, None), (257, None), (300, None), (100, 0), (100, -1), (100, 2**40)]
)
def test_an_unlimited_answer_ends_with_the_context(tiny, n_ctx, max_tokens):
    with llama_of(tiny, n_ctx=n_ctx, budget=4, template="mistral") as llama:
        completion = llama.create_chat_completion(QUESTION, max_tokens=max_tokens, temperature=0)
        assert completion["choices"][0]["finish_reason"] == "length"
        assert completion["usage"]["total_tokens"] == n_ctx
        right = answer_of(completion)
        assert (
            answer_of(llama.create_chat_completion(QUESTION, max_tokens=max_tokens, temperature=0)) == right
        )
        stream = llama.create_chat_completion(QUESTION, max_tokens=max_tokens, temperature=0, stream=True)
        assert text_of(stream) == right


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("n_ctx", "max_tokens", "tokens"), [(300, None, 300), (257, 10**6, 257), (512, 4, None)]
)
def test_characters_that_are_never_completed(tiny, n_ctx, max_tokens, tokens, stream):
    """llama-cpp-python forgets its limits while bytes are missing, and would write past the context."""
    with llama_of(tiny, n_ctx=n_ctx, budget=4, template="mistral") as llama:
        (lead,) = llama.tokenize("猫".encode(), add_bos=False)[1:2]
        options = {"max_tokens": max_tokens, "temperature": 0, "logit_bias": {lead: 1e6}}
        answer = llama.create_chat_completion(QUESTION, stream=stream, **options)
        reason = (list(answer)[-1] if stream else answer)["choices"][0]["finish_reason"]
        assert reason == "length"
        run = llama.chat_handler.last_run
        sampled = run.completion_tokens
        assert sampled <= 4 + 3 + 1 if tokens is None else run.prompt_tokens + sampled <= tokens + 1
        assert len(words(llama, TEXT_ONLY).split()) > 2


# What cuts them off, and what they leave behind


@pytest.mark.parametrize("read", [0, 1, 4])
def test_an_abandoned_stream(llama, fresh, read):
    right = fresh(TEXT_ONLY), fresh(OTHER)
    stream = greedy(llama, stream=True)
    for _ in range(read):
        next(stream)
    assert (words(llama, TEXT_ONLY), words(llama, OTHER)) == right
    with pytest.raises(StreamError, match="cut off: its model has been given another prompt"):
        next(stream)
    assert list(stream) == []
    assert words(llama, OTHER) == right[1]


@pytest.mark.parametrize("read", [0, 1, 4])
def test_a_stream_after_a_plain_completion_in_between(llama, read):
    stream = greedy(llama, stream=True)
    for _ in range(read):
        next(stream)
    llama.create_completion("What is this?", max_tokens=5)
    with pytest.raises(StreamError):
        list(stream)


@pytest.mark.parametrize("read", [0, 1, 4])
def test_a_closed_stream(llama, fresh, read):
    right = fresh(TEXT_ONLY)
    stream = greedy(llama, stream=True)
    for _ in range(read):
        next(stream)
    stream.close()
    assert list(stream) == []
    assert words(llama, TEXT_ONLY) == right


def test_threads_stream_right_or_not_at_all(llama, fresh):
    questions = (QUESTION, OTHER, TEXT_ONLY)
    right = [fresh(messages) for messages in questions]
    begun = threading.Barrier(3)

    def work(i):
        begun.wait(30)
        answers = []
        for _ in range(5):
            try:
                answers.append(text_of(greedy(llama, questions[i], stream=True)))
            except StreamError:
                answers.append(right[i])
        return answers

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [[answer] * 5 for answer in right]


def test_a_llama_closed_during_a_stream(tiny, handler):
    llama = load_llama(tiny[0], chat_handler=handler)
    stream = greedy(llama, stream=True)
    next(stream)
    llama.close()
    with pytest.raises(ClosedError, match="this Llama is closed"):
        next(stream)
