"""LlavaNext: questions, streams and conversations, and the same answers by every way in."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from front_door import QUESTION, ask, new
from gguf_rewrite import rewrite
from golden_pair import answer_of, image, photo, user

from hired_gguf import (
    BudgetError,
    ClosedError,
    ContextOverflowError,
    HiREDChatHandler,
    LlavaNext,
    ModelMismatchError,
    NativeError,
    PromptError,
)
from models import load_llama

# Questions


@pytest.mark.parametrize(
    ("budget", "visual"), [(1, 1), (7, 7), (80, 88), (1.0, 88), (0.999, 79), (0.0125, 1), (0.5, 40)]
)
def test_budgets(llm, budget, visual):
    answer = ask(llm, budget=budget)
    assert (answer.visual_tokens, answer.visual_tokens_full) == (visual, 88)
    assert answer.completion_tokens == 12


def test_options_of_a_question(llm):
    assert ask(llm, newlines="keep").visual_tokens > 20
    assert ask(llm, system="Be brief.").prompt_tokens != ask(llm).prompt_tokens
    assert ask(llm, max_tokens=1).completion_tokens == 1
    assert ask(llm, temperature=1.0, seed=1).text == ask(llm, temperature=1.0, seed=1).text
    assert ask(llm, temperature=1.0, seed=1).text != ask(llm).text
    with pytest.raises(BudgetError):
        ask(llm, budget=81)
    with pytest.raises(PromptError, match="temperature is -1"):
        ask(llm, temperature=-1)


def test_images_of_a_question(llm):
    assert llm.ask(None, QUESTION, max_tokens=3).visual_tokens_full == 0
    assert llm.ask([], QUESTION, max_tokens=3).visual_tokens_full == 0
    assert llm.ask([photo()], QUESTION, max_tokens=12).text == ask(llm).text
    both = llm.ask([photo(), photo("rocket")], QUESTION, max_tokens=3)
    assert both.visual_tokens_full == 88 + 44
    array = np.zeros((30, 40, 3), np.uint8)
    assert llm.ask((array, array), QUESTION, max_tokens=3).visual_tokens_full > 0


def test_stop(llm):
    stop = ask(llm).text[4:7]
    answer = ask(llm, stop=[stop])
    assert answer.finish_reason == "stop"
    assert stop not in answer.text


def test_overflow(llm):
    with pytest.raises(ContextOverflowError, match="make n_ctx at least"):
        ask(llm, question="Why? " * 500)
    assert ask(llm).completion_tokens == 12


# Streams


def test_threads_wait_for_each_other(llm):
    sources = [photo(name) for name in ("astronaut", "chelsea", "coffee", "rocket")]
    right = [ask(llm, source) for source in sources]

    def work(i):
        return [ask(llm, sources[i]) for _ in range(5)]

    with ThreadPoolExecutor(4) as pool:
        for i, answers in enumerate(pool.map(work, range(4))):
            for answer in answers:
                for field in ("text", "prompt_tokens", "visual_tokens", "visual_tokens_full"):
                    assert getattr(answer, field) == getattr(right[i], field)


# Every way in


@pytest.fixture(scope="module")
def every_way(tiny, llm):
    """The greedy text about one photograph at a budget of 20 tokens."""
    by_question = llm.ask(photo(), QUESTION, max_tokens=12, budget=20).text
    handler = HiREDChatHandler(tiny[1], budget=20, n_threads=1)
    llama = load_llama(tiny[0], chat_handler=handler)
    completion = llama.create_chat_completion([user(image(photo()), QUESTION)], max_tokens=12, temperature=0)
    llama.close()
    handler.close()
    return by_question, answer_of(completion).strip()


def test_question_and_handler_agree(every_way):
    assert every_way[0] == every_way[1] != ""


def test_the_command_line_agrees(every_way, tiny):
    arguments = ["--model", tiny[0], "--mmproj", tiny[1], "--budget", "20", "--max-tokens", "12", "--json"]
    command = [sys.executable, "-m", "hired_gguf", "ask", photo(), QUESTION, *arguments, "--threads", "1"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answer"] == every_way[0]
    assert (told["visual_tokens"], told["visual_tokens_full"]) == (20, 88)


# Life and death


def test_close(tiny):
    llm = new(tiny)
    llama, stream = llm.llama, ask(llm, stream=True)
    next(stream)
    llm.close()
    llm.close()
    for use in (lambda: ask(llm), lambda: llm.chat().send("Hi"), lambda: llm.llama):
        with pytest.raises(ClosedError, match="this LlavaNext is closed"):
            use()
    with pytest.raises(ClosedError, match="this Llama is closed"):
        next(stream)
    with pytest.raises(ClosedError):
        llm.handler(llama=llama, messages=[user("Hi")])


def test_with(tiny):
    with new(tiny) as llm:
        assert ask(llm, max_tokens=2).completion_tokens == 2
    with pytest.raises(ClosedError):
        ask(llm)
    with pytest.raises(ZeroDivisionError), new(tiny):
        raise ZeroDivisionError


def test_close_waits_for_an_answer(tiny):
    llm = new(tiny)
    right = ask(llm, max_tokens=100).text
    begun, outcomes = threading.Event(), []

    def work(llm):
        begun.set()
        try:
            outcomes.append(ask(llm, max_tokens=100).text)
        except ClosedError:
            outcomes.append("closed")

    for seconds in (0.0, 0.001, 0.01, 0.03):
        begun.clear()
        thread = threading.Thread(target=work, args=(llm,))
        thread.start()
        begun.wait(30)
        time.sleep(seconds)
        llm.close()
        thread.join(60)
        assert not thread.is_alive()
        llm = new(tiny)
    llm.close()
    assert len(outcomes) == 4
    assert set(outcomes) <= {right, "closed"}


@pytest.mark.slow
def test_any_order_of_garbage(tiny):
    for _ in range(3):
        llm = new(tiny, n_ctx=512)
        stream = ask(llm, stream=True)
        next(stream)
        del llm
        gc.collect()
        assert stream.read().completion_tokens == 12
        del stream
        gc.collect()


def test_swapped_files(tiny):
    with pytest.raises(ModelMismatchError, match="Are the two paths swapped"):
        LlavaNext(tiny[1], tiny[0])
    with pytest.raises(ModelMismatchError, match="Are the two paths swapped"):
        LlavaNext(tiny[0], tiny[0])


def test_missing_files(tiny, tmp_path):
    with pytest.raises(FileNotFoundError):
        LlavaNext(tmp_path / "no.gguf", tiny[1])
    with pytest.raises(FileNotFoundError):
        LlavaNext(tiny[0], tmp_path / "no.gguf")


def test_files_that_are_no_pair(tiny, small):
    with pytest.raises(ModelMismatchError, match=r"projects to width 128, but .* has width 512"):
        LlavaNext(small[0], tiny[1])


def test_options_reach_the_models(tiny):
    heard = []
    options = {
        "template": "mistral",
        "alpha": 1.0,
        "seed": 7,
        "on_progress": lambda *step: heard.append(step),
    }
    with new(tiny, n_ctx=300, **options) as llm:
        assert llm.llama.n_ctx() >= 300
        assert len(llm.llama.input_ids) == 300
        assert llm.handler.template == "mistral"
        assert llm.handler.token_budget.alpha == 1.0
        ask(llm, max_tokens=1)
    assert {stage for stage, _, _ in heard} == {"encode", "prefill"}


def test_a_misspelt_option_is_refused_with_the_right_one(llm):
    with pytest.raises(PromptError, match="no option 'temprature'; did you mean temperature"):
        llm.ask(None, "Hello?", temprature=0)


def test_a_model_that_llama_cpp_refuses(tiny, tmp_path):
    text, mmproj = tiny
    headless = tmp_path / "headless.gguf"
    rewrite(text, headless, drop=["output_norm.weight"])
    with pytest.raises(NativeError, match=r"headless.gguf was not loaded: Failed to load model"):
        LlavaNext(headless, mmproj)
