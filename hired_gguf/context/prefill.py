"""The language model's context: who uses it, and prompts of text and images on it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import llama_cpp
import numpy as np

from ..errors import NativeError, StreamError
from ..native.llama import address, clear, cut, mark, removable, require_open, took_rows, trace
from ..native.load import core
from ..native.process import NativeLock, calling_back, end_thread_with_python
from ..progress import Progress, Timings
from ..vision.encoding import Floats
from .ledger import FOREIGN_ID, Evaluable, ImageRows, Ledger, Span

IMAGE_ID = 0  # in the ids handed to llama-cpp-python, which must be valid tokens


@dataclass
class ContextState:
    """What a context holds, a lock for each native step on it, and a number that every new prompt raises."""

    lock: NativeLock = field(default_factory=NativeLock)
    prompt_number: int = 0
    ledger: Ledger = field(default_factory=Ledger)


_states: WeakKeyDictionary[llama_cpp.Llama, ContextState] = WeakKeyDictionary()


def state_of(llama: llama_cpp.Llama) -> ContextState:
    """The state shared by all handlers that use this Llama."""
    return _states.setdefault(llama, ContextState())


@dataclass(frozen=True)
class Prefill:
    """An evaluated prompt: its ids, the positions [start, end) of its images, and how many it did reuse."""

    ids: list[int]
    image_spans: list[tuple[int, int]]
    reused: int


def prefill(
    llama: llama_cpp.Llama,
    segments: Sequence[Evaluable],
    timings: Timings,
    on_progress: Progress | None = None,
) -> Prefill:
    """Evaluate token ids and images in order, but not the beginning that the context holds already.

    The last segment must be text, of which at least the last token is evaluated. Keeps what llama-cpp-python
    relies on: ``n_tokens`` is the next position, ``input_ids`` holds the ids up to it, but see `lend_images`,
    and with ``logits_all`` the scores of the text kept are those that it got when it was evaluated, after the
    same tokens. ``on_progress`` gets positions.

    On an error the context holds the segments that were finished, after one of llama.cpp's nothing. Raises
    NativeError, NumericError.
    """
    total, end = sum(map(len, segments)), 0
    state = state_of(llama)
    state.prompt_number += 1
    sound = state.ledger.is_true(trace(llama)) and removable(llama)
    kept = _cut(llama, state.ledger.shared(segments) if sound else 0)
    try:
        for segment in segments:
            start, end = end, end + len(segment)
            if end <= kept:
                continue
            _tell(llama, on_progress, total)
            _eval(llama, segment, max(kept - start, 0), timings)
        _tell(llama, on_progress, total)
    except BaseException as error:
        broken = isinstance(error, (NativeError, MemoryError))  # llama.cpp stopped somewhere in a batch
        _cut(llama, 0 if broken else len(state.ledger.ids))
        raise
    ids = np.where(state.ledger.ids == FOREIGN_ID, IMAGE_ID, state.ledger.ids).tolist()
    return Prefill(ids, [(span.start, span.end) for span in state.ledger.images], kept)


def _tell(llama: llama_cpp.Llama, on_progress: Progress | None, total: int) -> None:
    """Tell how far the prompt is. Raises ClosedError, StreamError if whoever hears it used the model."""
    end_thread_with_python()
    if on_progress is None:
        return
    number = state_of(llama).prompt_number
    with calling_back():
        on_progress("prefill", llama.n_tokens, total)
    require_open(llama)
    if state_of(llama).prompt_number != number:
        raise StreamError("[prefill] on_progress has given the model another prompt while it read this one")


def freshen(llama: llama_cpp.Llama) -> None:
    """Cut off what follows the last image, or all if there is none: a prompt evaluates its text as one batch.

    Its answer then has the same numbers as in a fresh context, whatever was asked about the image before.
    """
    ledger = state_of(llama).ledger
    sound = ledger.images and ledger.is_true(trace(llama)) and removable(llama)
    _cut(llama, ledger.images[-1].end if sound else 0)


def _cut(llama: llama_cpp.Llama, keep: int) -> int:
    """Keep the first positions only, or none where llama.cpp cannot cut. Returns how many are left."""
    images = [span for span in state_of(llama).ledger.images if span.end <= keep]
    if not keep or not cut(llama, keep):
        clear(llama)
        keep, images = 0, []
    _note(llama, images)
    return keep


def _note(llama: llama_cpp.Llama, images: Sequence[Span]) -> None:
    state_of(llama).ledger = Ledger(trace(llama), tuple(images))


def _eval(llama: llama_cpp.Llama, segment: Evaluable, skip: int, timings: Timings) -> None:
    """Evaluate a segment without its first tokens, and write it down."""
    started, start = time.perf_counter(), int(llama.n_tokens)
    images = state_of(llama).ledger.images
    if isinstance(segment, ImageRows):
        _eval_rows(llama, segment.rows)
        images += (Span(start, llama.n_tokens, segment.key),)
        timings.prefill_visual_s += time.perf_counter() - started
    else:
        _eval_text(llama, segment[skip:])
        timings.prefill_text_s += time.perf_counter() - started
    _note(llama, images)


def _eval_text(llama: llama_cpp.Llama, ids: list[int]) -> None:
    try:
        llama.eval(ids)
    except RuntimeError as error:
        raise NativeError(f"[prefill] llama.cpp could not evaluate the prompt's text: {error}") from error


def _eval_rows(llama: llama_cpp.Llama, rows: Floats) -> None:
    core.prefill_rows(address(llama), rows, int(llama.n_tokens), llama.n_batch)
    took_rows(llama, len(rows), FOREIGN_ID)


@contextmanager
def lend_images(llama: llama_cpp.Llama, prompt: Prefill) -> Iterator[None]:
    """While open, image positions carry valid token ids, so that llama-cpp-python reuses the context.

    Afterwards the positions are marked as images again, and tokens that it added are recorded.
    """
    mark(llama, prompt.image_spans, IMAGE_ID)
    try:
        yield
    finally:
        mark(llama, prompt.image_spans, FOREIGN_ID)
        _note(llama, state_of(llama).ledger.images)
