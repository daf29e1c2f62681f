"""A short probe of a model's speed: one tile, a few batches of rows, a few tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import llama_cpp
import numpy as np
import numpy.typing as npt

from ..model import LlavaNext
from ..native.kernels import kernels_used
from ..native.llama import address, clear, cut, room, synchronize
from ..native.load import core
from .engine import EngineSettings, warm_up
from .plan import QUESTIONS
from .prefill_cost import Batch

PROBE_CONTEXT = 1280  # two batches of llama.cpp's usual 512 rows, and a few rows behind them
FEW_ROWS = 64
TRIES = 3
FILL_S = 15.0  # a second full batch shows better what attention costs, but not every machine has the time
TOKENS = 4


@dataclass(frozen=True)
class Probe:
    """Seconds of one tile's encoding, of batches of visual rows, of a prompt's text, of a token.

    ``rest_s`` is what a first answer takes besides: its template, its tokens, its sampling. A prefill takes
    no more than ``batch_rows`` at once. ``text_tokens`` are those of the longest question's prompt,
    ``others_cores`` see `Neighbours.cores`.
    """

    tile_s: float
    batches: tuple[Batch, ...]
    batch_rows: int
    text_s: float
    token_s: float
    rest_s: float
    text_tokens: int
    others_cores: float | None = None


def run_probe(settings: EngineSettings) -> Probe:
    """Load the pair and measure."""
    tile_s, rows = probe_tile(settings)
    with LlavaNext(
        settings.model,
        settings.mmproj,
        n_ctx=PROBE_CONTEXT,
        n_threads=settings.n_threads,
        n_gpu_layers=settings.gpu_layers,
    ) as llm:
        llama = llm.llama
        warm_up(llama)
        largest = min(llama.n_batch, llama_cpp.llama_n_ubatch(address(llama)))
        batches = probe_batches(llama, rows, largest)
        clear(llama)
        answers = [llm.ask(None, question, max_tokens=1) for question in QUESTIONS]
        token_s = timed(llama, lambda: [llama.eval([llama.token_bos()]) for _ in range(TOKENS)]) / TOKENS
    first = answers[0].timings
    return Probe(
        tile_s=tile_s,
        batches=batches,
        batch_rows=largest,
        text_s=first.prefill_text_s,
        token_s=token_s,
        rest_s=first.ttft_s - first.prefill_text_s,
        text_tokens=max(answer.prompt_tokens for answer in answers),
    )


def probe_tile(settings: EngineSettings) -> tuple[float, npt.NDArray[np.float32]]:
    """Seconds to encode a tile (the better of two tries), and its rows [tokens, D_text]."""
    model = core.VisionModel(settings.mmproj, n_threads=settings.n_threads, kernels=kernels_used())
    pixels = np.zeros((1, 3, model.tile, model.tile), np.float32)
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        _, _, projected = model.encode(pixels, [0])
        seconds.append(time.perf_counter() - started)
    return min(seconds), projected[0]


def probe_batches(llama: llama_cpp.Llama, rows: npt.NDArray[np.float32], largest: int) -> tuple[Batch, ...]:
    """A few rows on an empty context, one or two full batches, and a few rows behind those."""
    full = min(largest, room(llama) - FEW_ROWS)
    found = [_best(llama, rows, FEW_ROWS, 0)]
    start = 0
    while start + full + FEW_ROWS <= room(llama) and sum(batch.seconds for batch in found) < FILL_S:
        found.append(Batch(full, start, _prefill(llama, rows, full, start)))
        start += full
    return (*found, _best(llama, rows, FEW_ROWS, start))


def _best(llama: llama_cpp.Llama, rows: npt.NDArray[np.float32], count: int, start: int) -> Batch:
    """The quickest of `TRIES` at the same place."""
    return Batch(count, start, min(_prefill(llama, rows, count, start) for _ in range(TRIES)))


def _prefill(llama: llama_cpp.Llama, rows: npt.NDArray[np.float32], count: int, start: int) -> float:
    """Seconds of one batch behind the first positions, which must be there."""
    many = np.ascontiguousarray(np.resize(rows, (count, rows.shape[1])))
    if not start or not cut(llama, start):
        clear(llama)
    return timed(llama, partial(core.prefill_rows, address(llama), many, start, llama.n_batch))


def timed(llama: llama_cpp.Llama, work: Callable[[], object]) -> float:
    """Seconds until the work's last result is there."""
    started = time.perf_counter()
    work()
    synchronize(llama)
    return time.perf_counter() - started
