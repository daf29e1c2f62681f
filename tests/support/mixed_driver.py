"""Two models and two encoders under 1000 mixed requests from four threads.

`python mixed_driver.py MODEL MMPROJ REQUESTS` prints the wrong answers, and memory and descriptors before and
after, as JSON. What is right is what each question gave alone.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from hired_gguf import (
    BudgetError,
    ContextOverflowError,
    ImageError,
    LlavaNext,
    PromptError,
    StreamError,
    VisionEncoder,
)

MODEL, MMPROJ, REQUESTS = sys.argv[1], sys.argv[2], int(sys.argv[3])
SIZES = ((60, 80), (112, 112), (40, 150))
PICTURES = [np.random.default_rng(n).integers(0, 256, (*size, 3), np.uint8) for n, size in enumerate(SIZES)]
QUESTIONS = ("What?", "Who is there?", "Which colour has it?")
BAD = {
    "picture": (ImageError, lambda llm: llm.ask(b"no picture", "What?")),
    "cut": (ImageError, lambda llm: llm.ask(b"\x89PNG\r\n\x1a\n\x00\x00", "What?")),
    "budget": (BudgetError, lambda llm: llm.ask(PICTURES[0], "What?", budget=2.5)),
    "room": (ContextOverflowError, lambda llm: llm.ask(PICTURES[0], "What? " * 700)),
    "messages": (PromptError, lambda llm: llm.answer([{"role": "user", "content": [{"type": "x"}]}])),
}


def ask(llm, picture, question, **options):
    image = None if picture is None else PICTURES[picture]
    return str(llm.ask(image, QUESTIONS[question], max_tokens=6, **options))


def good(llm, chance, right):
    """A question in one of several manners; whether the answer is the right one."""
    case = chance.choice((None, 0, 1, 2)), chance.randrange(3)
    if chance.random() < 0.1:
        llm.handler.close()  # the encoder is loaded again
    return ask(llm, *case, fresh=chance.random() < 0.5) == right[case]


def abandoned(llm, chance):
    """A stream that is dropped half-way, or cut off by another thread's question."""
    stream = llm.ask(PICTURES[chance.randrange(3)], QUESTIONS[0], max_tokens=9, stream=True)
    with suppress(StreamError):
        for _ in zip(range(chance.randrange(3)), stream, strict=False):
            pass
    return True


def bad(llm, chance):
    """A request that must be refused, in the right way."""
    error, work = BAD[chance.choice(list(BAD))]
    try:
        work(llm)
    except error:
        return True
    return False


def encode(encoder, chance, right):
    number = chance.randrange(3)
    encoding = encoder.encode(PICTURES[number])
    return all(map(np.array_equal, (encoding.projected, encoding.attention[-1]), right[number]))


def request(number, llms, encoders, answers, encodings):
    """One request by its number: what it was and whether all was right."""
    chance = random.Random(number)
    which = chance.randrange(2)
    kind = chance.choices(("good", "abandoned", "bad", "encode"), (5, 1, 1, 3))[0]
    try:
        if kind == "encode":
            return kind, encode(encoders[which], chance, encodings)
        if kind == "good":
            return kind, good(llms[which], chance, answers)
        return kind, {"abandoned": abandoned, "bad": bad}[kind](llms[which], chance)
    except Exception as error:
        return f"{kind}: {type(error).__name__}: {error}", False


def sizes():
    """Resident bytes, after what was freed went back to the system, and open descriptors."""
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    status = Path("/proc/self/status").read_text().splitlines()
    rss = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))
    return rss, len(os.listdir("/proc/self/fd"))


def main():
    llms = [LlavaNext(MODEL, MMPROJ, n_ctx=512, n_threads=n, cache_bytes=1 << 20) for n in (1, 2)]
    encoders = [VisionEncoder(MMPROJ, n_threads=n) for n in (1, 2)]
    cases = [(picture, question) for picture in (None, 0, 1, 2) for question in range(3)]
    answers = {case: ask(llms[0], *case, fresh=True) for case in cases}
    encodings = [(e.projected, e.attention[-1]) for e in map(encoders[0].encode, PICTURES)]
    measured, done = [], []
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, REQUESTS, REQUESTS // 5):  # the first part warms up
            done += pool.map(
                lambda n: request(n, llms, encoders, answers, encodings), range(start, start + REQUESTS // 5)
            )
            measured.append(sizes())
    for each in (*llms, *encoders):
        each.close()
    kinds = Counter(kind for kind, right in done if right)
    print(json.dumps({"wrong": [k for k, right in done if not right], "right": kinds, "sizes": measured}))


if __name__ == "__main__":
    main()
