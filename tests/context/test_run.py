"""The record of one call: its counts and its seconds."""

from __future__ import annotations

from bare_handler import QUESTION, TEXT_ONLY, greedy
from drawings import selection_of

from hired_gguf.context.run import Run


def test_visual_tokens_are_those_of_all_images():
    chosen = [selection_of((56, 112), budget=10), selection_of((112, 112), budget=0.5)]
    run = Run(selections=chosen)
    assert run.visual_tokens == 10 + 40
    assert run.visual_tokens_full == 52 + 88
    assert (Run().visual_tokens, Run().visual_tokens_full) == (0, 0)


def test_usage_counts_text_and_visual_tokens(llama, handler):
    with_image = greedy(llama)["usage"]["prompt_tokens"]
    for budget, rows in ((1, 1), (8, 8), (0.5, 40), (1.0, 88)):
        completion = handler(llama=llama, messages=QUESTION, budget=budget, max_tokens=1)
        assert completion["usage"]["prompt_tokens"] == with_image - 88 + rows
        assert handler.last_run.visual_tokens == rows
        assert handler.last_run.visual_tokens_full == 88
    assert greedy(llama, TEXT_ONLY)["usage"]["prompt_tokens"] == llama.n_tokens - 9
    assert handler.last_run.visual_tokens == 0


def test_last_run_is_complete_when_the_answer_is(new_llama, handler):
    handler.close()  # or its image would be there
    stream = greedy(new_llama(), stream=True)
    assert handler.last_run.completion_tokens == 0
    list(stream)
    run = handler.last_run
    assert run.completion_tokens == 10
    times = run.timings
    assert min(times.encode_s, times.select_s, times.prefill_visual_s, times.prefill_text_s) > 0
    stages = times.encode_s + times.select_s + times.prefill_visual_s + times.prefill_text_s
    assert stages <= times.ttft_s < times.total_s
