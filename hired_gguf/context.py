"""The language model's context: how much it holds, who uses it, and prompts of text and images on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import llama_cpp
import numpy as np
import numpy.typing as npt

from . import _core
from .errors import ClosedError, NativeError
from .progress import Progress, Timings

Floats = npt.NDArray[np.float32]

IMAGE_ID = 0  # in the ids handed to llama-cpp-python, which must be valid tokens
FOREIGN_ID = -1  # in its own record of the context, so that no text prompt can match an image's positions


@dataclass
class ContextState:
    """Who uses a context: a lock for each native step, and a number that every new prompt raises."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    prompt_number: int = 0


_states: WeakKeyDictionary[llama_cpp.Llama, ContextState] = WeakKeyDictionary()


def state_of(llama: llama_cpp.Llama) -> ContextState:
    """The state shared by all handlers that use this Llama."""
    return _states.setdefault(llama, ContextState())


def require_open(llama: llama_cpp.Llama) -> None:
    """Raise ClosedError if the Llama was closed: its native calls would read freed memory."""
    if llama._ctx.ctx is None:
        raise ClosedError("this Llama is closed")


def room(llama: llama_cpp.Llama) -> int:
    """Positions that can be used. llama.cpp pads n_ctx upwards, llama-cpp-python's own arrays do not."""
    return min(int(llama.n_ctx()), len(llama.input_ids))


@dataclass(frozen=True)
class Prefill:
    """An evaluated prompt: its ids, and the positions [start, end) of its images."""

    ids: list[int]
    image_spans: list[tuple[int, int]]


def prefill(
    llama: llama_cpp.Llama,
    segments: Sequence[list[int] | Floats],
    timings: Timings,
    on_progress: Progress | None = None,
) -> Prefill:
    """Evaluate token ids and visual rows [n, D_text] in order, from an empty context. The last must be text.

    Keeps what llama-cpp-python relies on: ``n_tokens`` is the next position and ``input_ids`` holds the ids
    up to it, but see `lend_images`. ``on_progress`` gets positions. On an error the context is empty. Raises
    NativeError, NumericError.
    """
    total, spans = sum(map(len, segments)), []
    state_of(llama).prompt_number += 1
    clear(llama)
    try:
        for segment in segments:
            if on_progress:
                on_progress("prefill", llama.n_tokens, total)
            started = time.perf_counter()
            if isinstance(segment, list):
                _eval_text(llama, segment)
                timings.prefill_text_s += time.perf_counter() - started
            else:
                spans.append(_eval_rows(llama, segment))
                timings.prefill_visual_s += time.perf_counter() - started
        if on_progress:
            on_progress("prefill", total, total)
    except BaseException:
        clear(llama)
        raise
    ids = llama.input_ids[:total]
    return Prefill(np.where(ids == FOREIGN_ID, IMAGE_ID, ids).tolist(), spans)


def clear(llama: llama_cpp.Llama) -> None:
    """Empty the context."""
    llama.reset()
    llama._ctx.kv_cache_clear()


def _eval_text(llama: llama_cpp.Llama, ids: list[int]) -> None:
    try:
        llama.eval(ids)
    except RuntimeError as error:
        raise NativeError(f"[prefill] llama.cpp could not evaluate the prompt's text: {error}") from error


def _eval_rows(llama: llama_cpp.Llama, rows: Floats) -> tuple[int, int]:
    start = int(llama.n_tokens)
    _core.prefill_rows(int(llama._ctx.ctx), rows, start, llama.n_batch)
    end = start + len(rows)
    llama.input_ids[start:end] = FOREIGN_ID
    llama.n_tokens = end
    return start, end


@contextmanager
def lend_images(llama: llama_cpp.Llama, prompt: Prefill) -> Iterator[None]:
    """Let llama-cpp-python take the context for ``prompt.ids``. Outside, no prompt matches the images."""
    _mark(llama, prompt, IMAGE_ID)
    try:
        yield
    finally:
        _mark(llama, prompt, FOREIGN_ID)


def _mark(llama: llama_cpp.Llama, prompt: Prefill, token: int) -> None:
    for start, end in prompt.image_spans:
        llama.input_ids[start:end] = token
