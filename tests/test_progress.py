"""How far a call is, and how long its stages took."""

from __future__ import annotations

import numpy as np
from front_door import ask
from golden_pair import image, photo, user

from hired_gguf import HiREDChatHandler


def test_progress(tiny, new_llama):
    heard, llama = [], new_llama()
    handler = HiREDChatHandler(tiny[1], budget=8, on_progress=lambda *step: heard.append(step), n_threads=1)
    messages = [user(image(photo()), image(photo("rocket")), "Q")]
    total = handler(llama=llama, messages=messages, max_tokens=1)["usage"]["prompt_tokens"]
    assert heard[:2] == [("encode", 0, 2), ("encode", 1, 2)]
    assert heard[2] == ("prefill", 0, total)
    assert heard[-1] == ("prefill", total, total)
    done = [step[1] for step in heard[2:]]
    assert done == sorted(done)
    handler.close()


def test_timings_add_up(llm):
    noise = np.random.default_rng(5).integers(0, 256, (100, 150, 3), np.uint8)
    times = ask(llm, noise).timings
    stages = (times.encode_s, times.select_s, times.prefill_visual_s, times.prefill_text_s)
    assert min(stages) > 0
    assert sum(stages) <= times.ttft_s < times.total_s < 60
