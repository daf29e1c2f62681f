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
from ..model_files.token_table import TokenTable
from ..native.llama import address, clear, cut, keeps_logits, mark, removable, require_open, took_rows, trace
from ..native.load import core
from ..native.process import NativeLock, calling_back, end_thread_with_python
from ..native.token_rows import token_rows, token_table
from ..progress import Progress, Timings
from ..vision.encoding import Floats
from .batches import Piece, batches, is_text
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
    *,
    fresh: bool = False,
) -> Prefill:
    """Evaluate token ids and images, together where it can be, but not the beginning that the context holds.

    The last segment must be text, of which at least the last token is evaluated. Keeps what llama-cpp-python
    relies on: ``n_tokens`` is the next position, ``input_ids`` holds the ids up to it, but see `lend_images`,
    and with ``logits_all`` the scores of the text kept are those that it got when it was evaluated, after the
    same tokens. ``on_progress`` gets positions, before each batch and at the end.

    With ``fresh`` the text after an image is evaluated apart, and all of it: the numbers are those of an
    empty context, whatever was asked about the image before.

    On an error the context holds the batches that were finished, but no part of an image, and after an error
    of llama.cpp's nothing. Raises NativeError, NumericError, InputError, ModelFormatError.
    """
    state = state_of(llama)
    state.prompt_number += 1
    images, total = _spans(segments), sum(map(len, segments))
    sound = state.ledger.is_true(trace(llama)) and removable(llama)
    kept = _cut(llama, _held(state.ledger, segments, fresh=fresh) if sound else 0)
    table = _common_table(llama, segments)
    try:
        for batch in batches(segments, kept, llama.n_batch, joined=table is not None, apart=fresh):
            _tell(llama, on_progress, total)
            _eval(llama, batch, table, timings, last=llama.n_tokens + sum(map(len, batch)) == total)
            _note(llama, [span for span in images if span.end <= llama.n_tokens])
        _tell(llama, on_progress, total)
    except BaseException as error:
        broken = isinstance(error, (NativeError, MemoryError))  # llama.cpp stopped somewhere in a batch
        _cut(llama, 0 if broken else _whole(len(state.ledger.ids), images))
        raise
    ids = np.where(state.ledger.ids == FOREIGN_ID, IMAGE_ID, state.ledger.ids).tolist()
    return Prefill(ids, [(span.start, span.end) for span in state.ledger.images], kept)


def _spans(segments: Sequence[Evaluable]) -> list[Span]:
    """Where the images of a prompt stand."""
    ends = np.cumsum([len(segment) for segment in segments]).tolist()
    return [
        Span(end - len(segment), end, segment.key)
        for segment, end in zip(segments, ends, strict=True)
        if isinstance(segment, ImageRows)
    ]


def _held(ledger: Ledger, segments: Sequence[Evaluable], *, fresh: bool) -> int:
    """How many of the first positions need not be evaluated; up to the end of an image if ``fresh``."""
    shared = ledger.shared(segments)
    return shared if not fresh else max((i.end for i in ledger.images if i.end <= shared), default=0)


def _whole(end: int, images: Sequence[Span]) -> int:
    """How many positions are left of the first ones without a part of an image."""
    return next((image.start for image in images if image.start < end < image.end), end)


def _common_table(llama: llama_cpp.Llama, segments: Sequence[Evaluable]) -> TokenTable | None:
    """By what the text can be evaluated together with the images; None where it cannot, or has no image."""
    widths = {segment.rows.shape[1] for segment in segments if isinstance(segment, ImageRows)}
    if not widths or keeps_logits(llama):  # scores of text are asked of llama.cpp's own eval
        return None
    table = token_table(llama)
    return table if table is not None and widths == {table.width} else None


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


def _eval(
    llama: llama_cpp.Llama, batch: list[Piece], table: TokenTable | None, timings: Timings, *, last: bool
) -> None:
    """Evaluate a batch. Its seconds are shared out to text and images by their positions."""
    started = time.perf_counter()
    if is_text(batch):
        _eval_text(llama, [token for piece in batch for token in piece])
    else:
        _eval_rows(llama, batch, table, last=last)
    seconds, size = time.perf_counter() - started, sum(map(len, batch))
    text = sum(len(piece) for piece in batch if isinstance(piece, list))
    timings.prefill_text_s += seconds * text / size
    timings.prefill_visual_s += seconds * (size - text) / size


def _eval_text(llama: llama_cpp.Llama, ids: list[int]) -> None:
    try:
        llama.eval(ids)
    except RuntimeError as error:
        raise NativeError(f"[prefill] llama.cpp could not evaluate the prompt's text: {error}") from error


def _eval_rows(llama: llama_cpp.Llama, batch: list[Piece], table: TokenTable | None, *, last: bool) -> None:
    rows: list[Floats] = []
    ids: list[int] = []
    for piece in batch:
        if not isinstance(piece, list):
            rows.append(piece)
            ids += [FOREIGN_ID] * len(piece)
        elif table is not None:  # else text has batches of its own
            rows.append(token_rows(table, piece))
            ids += piece
    joined = rows[0] if len(rows) == 1 else np.concatenate(rows)
    core.prefill_rows(address(llama), joined, int(llama.n_tokens), llama.n_batch, last)
    took_rows(llama, ids, logits=last)


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
