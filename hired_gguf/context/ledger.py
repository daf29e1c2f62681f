"""What a context holds, written down so that no prompt evaluates again what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..native.llama import Trace
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


@dataclass(frozen=True)
class Span:
    """The positions [start, end) of an image."""

    start: int
    end: int
    key: str


@dataclass(frozen=True, eq=False)
class Ledger:
    """The text and images of a context, as `hired_gguf.context.prefill` put them there.

    ``trace`` is how the context looked then, with FOREIGN_ID for the id of each row of an image. Anyone else
    who evaluates leaves another trace (see `is_true`); then the ledger does not count. A change is a new
    ledger, so that an interrupt leaves the old one or the new one.
    """

    trace: Trace = field(default_factory=Trace)
    images: tuple[Span, ...] = ()

    @property
    def ids(self) -> npt.NDArray[np.intc]:
        """The tokens in order."""
        return self.trace.ids

    def is_true(self, now: Trace) -> bool:
        """Whether nobody has evaluated, sampled, cut or loaded anything since this was written.

        Another image handler leaves the ids as they are, so the context's own count of tokens is asked too.
        """
        then = self.trace
        return (
            then.array() is now.array()  # load_state brings a new one
            and then.sampler() is now.sampler()  # each generation brings a new one
            and then.evaluated == now.evaluated
            and now.last_position == len(then.ids) - 1
            and np.array_equal(then.ids, now.ids)
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


def _common(held: npt.NDArray[np.intc], wanted: list[int]) -> int:
    n = min(len(held), len(wanted))
    different = np.flatnonzero(held[:n] != np.asarray(wanted[:n], np.intc))
    return int(different[0]) if len(different) else n
