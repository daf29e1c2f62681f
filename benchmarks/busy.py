"""What a busy process costs its neighbour: seconds a token of the answer, and prefilled rows a second.

`python benchmarks/busy.py [--rounds 5] [--threads 2] [--shape small] [--file-type q4_0]`

Two processes hold the same pair of random weights, one with hired-gguf's GOMP_SPINCOUNT, one with libgomp's
own. They are measured in turn, without and with a third process that computes on any core. Medians of the
rounds; other load on the machine falsifies them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from hired_gguf import LlavaNext
from hired_gguf.native.llama import address, clear
from hired_gguf.native.load import core
from hired_gguf.synthetic.synthesize import synthesize

SPINS = {"hired-gguf": None, "libgomp's own": "300000"}
TOKENS, ROWS = 24, 256


def serve(model, mmproj, threads):
    """Measure whenever a line comes in."""
    with LlavaNext(model, mmproj, n_ctx=1024, n_threads=int(threads)) as llm:
        llama = llm.llama
        rows = np.ones((ROWS, llama.n_embd()), np.float32)
        print("ready", flush=True)
        for _ in sys.stdin:
            clear(llama)
            started = time.perf_counter()
            core.prefill_rows(address(llama), rows, 0, llama.n_batch)
            llama.n_tokens = ROWS
            prefilled = time.perf_counter()
            for _ in range(TOKENS):
                llama.eval([llama.token_bos()])
            token_s = (time.perf_counter() - prefilled) / TOKENS
            print(json.dumps([token_s, ROWS / (prefilled - started)]), flush=True)


def start(stack, pair, threads, spins):
    """A process that serves."""
    variables = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    process = subprocess.Popen(
        [sys.executable, __file__, "serve", *map(str, pair), str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables if spins is None else {**variables, "GOMP_SPINCOUNT": spins},
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    assert process.stdout.readline() == "ready\n"
    return process


def measure(process):
    """Seconds a token, and rows a second."""
    print(file=process.stdin, flush=True)
    return json.loads(process.stdout.readline())


def run(options):
    """Print a table."""
    found = {}
    with ExitStack() as stack:
        pair = synthesize(options.shape, stack.enter_context(TemporaryDirectory()), options.file_type)
        processes = {name: start(stack, pair, options.threads, spins) for name, spins in SPINS.items()}
        busy = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        stack.callback(busy.kill)
        for number in range(options.rounds + 1):
            for state, order in (("quiet", signal.SIGSTOP), ("busy", signal.SIGCONT)):
                busy.send_signal(order)
                for name, process in processes.items():
                    numbers = measure(process)
                    if number:  # the first round warms up
                        found.setdefault((name, state), []).append(numbers)
    for name in SPINS:
        quiet, beside = (
            [median(column) for column in zip(*found[name, state], strict=True)]
            for state in ("quiet", "busy")
        )
        print(
            f"{name:14} token: {quiet[0] * 1000:7.1f} ms quiet {beside[0] * 1000:7.1f} ms busy "
            f"({beside[0] / quiet[0]:.1f} times); rows/s: {quiet[1]:6.0f} quiet {beside[1]:6.0f} busy"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
        parser.add_argument("--rounds", type=int, default=5)
        parser.add_argument("--threads", type=int, default=2)
        parser.add_argument("--shape", default="small")
        parser.add_argument("--file-type", default="q4_0")
        run(parser.parse_args())
