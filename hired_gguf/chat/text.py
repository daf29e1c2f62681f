"""An answer's bytes to its text: characters as they become whole, up to the first stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class AnswerText:
    """Text that grows by bytes. What is released is the same however the bytes are cut into tokens.

    Bytes that are no UTF-8 become U+FFFD, as ``bytes.decode(errors="replace")`` makes them. The answer ends
    before the first stop string that is complete; what may become one is kept back.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = stop
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._kept = ""
        self.length = 0
        """Characters so far, those kept back included."""
        self.stopped = False
        """Whether a stop string was found: there is no more text."""

    @property
    def waits(self) -> bool:
        """Whether a character lacks bytes."""
        return bool(self._decoder.getstate()[0])

    def add(self, data: bytes, *, final: bool = False) -> str:
        """The text that can be shown now. After ``final`` nothing is kept back."""
        text = self._decoder.decode(data, final)
        self.length += len(text)
        self._kept += text
        ends = [(start + len(s), start) for s in self._stop if (start := self._kept.find(s)) >= 0]
        if ends:
            self.stopped = True
            return self._release(min(ends)[1])
        return self._release(len(self._kept) - (0 if final else self._begun()))

    def _begun(self) -> int:
        """How many of the last characters may be the beginning of a stop string."""
        longest = max((len(s) - 1 for s in self._stop), default=0)
        for count in range(min(longest, len(self._kept)), 0, -1):
            if any(s.startswith(self._kept[-count:]) for s in self._stop):
                return count
        return 0

    def _release(self, count: int) -> str:
        text, self._kept = self._kept[:count], self._kept[count:]
        return text
