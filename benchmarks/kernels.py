"""Our kernels beside ggml's own, in one process and by turns: a prefill, and a token of the answer.

`python benchmarks/kernels.py TEXT.gguf... [--rounds 5] [--threads 2] [--kernels avx512,avx2]`

`hired-gguf bench --layers 4 --types q4_0,q4_k_m` leaves fitting files in the cache folder.
Of each file stock llama-cpp-python is loaded with its defaults and with use_extra_bufts=False, then with each
of our kernels, without and with flash attention (which LlavaNext turns on). "ratio" is the median of the
rounds' ratios to stock's defaults. `python benchmarks/kernels.py MMPROJ.gguf...` times a tile so.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import llama_cpp
import numpy as np

from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.native.llama import address, clear
from hired_gguf.native.load import core

ROWS, TOKENS, BATCH = 576, 8, 640


@contextmanager
def offered(name):
    """With our kernels of that name."""
    core.offer_kernels(name)
    try:
        yield
    finally:
        core.withdraw_kernels(name)


@contextmanager
def not_repacked():
    """Stock's second way."""
    module, defaults = llama_cpp.llama_cpp, llama_cpp.llama_model_default_params

    def changed():
        params = defaults()
        params.use_extra_bufts = False
        return params

    module.llama_model_default_params = llama_cpp.llama_model_default_params = changed
    try:
        yield
    finally:
        module.llama_model_default_params = llama_cpp.llama_model_default_params = defaults


def load(path, threads, flash_attn=False):
    """A model on the CPU."""
    return llama_cpp.Llama(
        str(path),
        n_ctx=1024,
        n_batch=BATCH,
        n_ubatch=BATCH,
        n_gpu_layers=0,
        n_threads=threads,
        n_threads_batch=threads,
        flash_attn=flash_attn,
        verbose=False,
    )


def models(path, options):
    """Each way, by name."""
    found = {"stock": load(path, options.threads)}
    with not_repacked():
        found["stock, use_extra_bufts=False"] = load(path, options.threads)
    for name in options.kernels:
        with offered(name):
            found[name] = load(path, options.threads)
            found[f"{name}, flash attention"] = load(path, options.threads, flash_attn=True)
    return found


def measure(llama):
    """Seconds of the prefill, and of a token thereafter."""
    rows = (np.random.default_rng(0).standard_normal((ROWS, llama.n_embd())) * 0.02).astype(np.float32)
    clear(llama)
    started = time.perf_counter()
    core.prefill_rows(address(llama), rows, 0, BATCH)
    llama.n_tokens = ROWS
    prefilled = time.perf_counter()
    for _ in range(TOKENS):
        llama.eval([5])
    return prefilled - started, (time.perf_counter() - prefilled) / TOKENS


def encoders(path, options):
    """The vision encoder with ggml's kernels and with ours."""
    return {
        name or "ggml": core.VisionModel(str(path), "cpu", options.threads, "auto", name, False, 0)
        for name in ("", *options.kernels)
    }


def encode(model):
    """Seconds of a tile."""
    pixels = np.random.default_rng(0).standard_normal((1, 3, model.tile, model.tile)).astype(np.float32)
    started = time.perf_counter()
    model.encode(pixels, [0, model.layers - 1])
    return (time.perf_counter() - started,)


def turns(made, measured, rounds):
    """The numbers of each, a row a round; the first round warms up and does not count."""
    found = {name: [] for name in made}
    for number in range(rounds + 1):
        for name, one in made.items():
            numbers = measured(one)
            if number:
                found[name].append(numbers)
    return found


def report(path, found, units):
    """A line for each way."""
    base = next(iter(found.values()))
    for name, rows in found.items():
        parts = []
        for column, unit in enumerate(units):
            ratios = [stock[column] / ours[column] for stock, ours in zip(base, rows, strict=True)]
            best = min(row[column] for row in rows)
            parts.append(f"{unit(best)} ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"{path.name:24} {name:28} {'; '.join(parts)}", flush=True)


def main(options):
    """Print a table for each file."""
    for path in options.files:
        with ExitStack() as stack:
            if read_gguf(path).metadata.get("general.architecture") == "clip":
                report(
                    path, turns(encoders(path, options), encode, options.rounds), (lambda s: f"{s:6.2f} s",)
                )
                continue
            made = models(path, options)
            for llama in made.values():
                stack.callback(llama.close)
            units = (lambda s: f"{ROWS / s:7.1f} rows/s", lambda s: f"token {s * 1000:6.1f} ms")
            report(path, turns(made, measure, options.rounds), units)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kernels", type=lambda text: text.split(","), default=core.kernels_here())
    main(parser.parse_args())
