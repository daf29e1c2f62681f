"""What a context holds, written down so that no prompt evaluates again what is there."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from ..vision.encoding import Floats

FOREIGN_ID = -1  # in llama-cpp-python's record of an image's positions, so that no text prompt can match them


@dataclass(frozen=True, eq=False)
class ImageRows:
    """An image in a prompt: rows [n, D_text], and a key that only equal rows have."""

    key: str
    rows: Floats

    def __len__(self) -> int:
        return len(self.rows)


Evaluable = list[int] | ImageRows


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Span:
    """The positions [start, end) of an image."""

    start: int
    end: int
    key: str


@dataclass(frozen=True, eq=False)
class Ledger:
    """The text and images of a context, as `hired_gguf.context.prefill` put them there.

    ``ids`` are the tokens in order, FOREIGN_ID for each row of an image. Whoever else evaluates leaves a
    trace (see `is_true`); then nothing here counts. A change is a new ledger, so that an interrupt leaves
    the old one or the new one.
    """

    ids: npt.NDArray[np.intc] = field(default_factory=lambda: np.empty(0, np.intc))
    images: tuple[Span, ...] = ()
    _array: Callable[[], Any] = _nothing
    _sampler: Callable[[], Any] = _nothing
    _evaluated: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, llama: llama_cpp.Llama, images: Sequence[Span]) -> Ledger:
        """What the context holds now: the tokens of llama-cpp-python's record, and these images."""
        return cls(
            ids=llama.input_ids[: llama.n_tokens].copy(),
            images=tuple(images),
            _array=weakref.ref(llama.input_ids),
            _sampler=_nothing if llama._sampler is None else weakref.ref(llama._sampler),
            _evaluated=_evaluated(llama),
        )

    def is_true(self, llama: llama_cpp.Llama) -> bool:
        """Whether nobody has evaluated, sampled, cut or loaded anything since this was written.

        Another image handler leaves the ids as they are, so the context's own count of tokens is asked too.
        """
        n = len(self.ids)
        return (
            llama.n_tokens == n
            and self._array() is llama.input_ids  # load_state brings a new one
            and self._sampler() is llama._sampler  # each generation brings a new one
            and self._evaluated == _evaluated(llama)
            and last_position(llama) == n - 1
            and np.array_equal(llama.input_ids[:n], self.ids)
        )

    def shared(self, segments: Sequence[Evaluable]) -> int:
        """How many of a prompt's first positions are here.

        Text counts by the token, an image whole or not at all. The prompt's last token does not count: its
        logits are needed.
        """
        images = {span.start: span for span in self.images}
        at = 0
        for segment in segments:
            end = at + len(segment)
            if isinstance(segment, ImageRows):
                same = images.get(at) == Span(at, end, segment.key)
                at = end if same else at
            else:
                at += _common(self.ids[at:], segment)
            if at < end:
                break
        return min(at, sum(map(len, segments)) - 1)


def removable(llama: llama_cpp.Llama) -> bool:
    """Whether the end of the context can be cut off and the rest be used.

    A recurrent state cannot be cut, and a sliding window may have dropped what the rest needs.
    """
    recurrent = llama._is_recurrent or llama._is_hybrid
    return not recurrent and bool(llama_cpp.llama_memory_seq_pos_min(_memory(llama), 0) == 0)


def last_position(llama: llama_cpp.Llama) -> int:
    """The last position of sequence 0 in llama.cpp's own memory, -1 if there is none."""
    return int(llama_cpp.llama_memory_seq_pos_max(_memory(llama), 0))


def _memory(llama: llama_cpp.Llama) -> Any:
    return llama_cpp.llama_get_memory(llama._ctx.ctx)


def _evaluated(llama: llama_cpp.Llama) -> tuple[int, int]:
    """llama.cpp's counts of tokens evaluated by several and one by one, whoever asked for it."""
    llama_cpp.llama_synchronize(llama._ctx.ctx)
    counts = llama_cpp.llama_perf_context(llama._ctx.ctx)
    return counts.n_p_eval, counts.n_eval


def _common(held: npt.NDArray[np.intc], wanted: list[int]) -> int:
    n = min(len(held), len(wanted))
    different = np.flatnonzero(held[:n] != np.asarray(wanted[:n], np.intc))
    return int(different[0]) if len(different) else n
