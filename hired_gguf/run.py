"""One call's record: what it did, how long each stage took, and the stream that fills it in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import llama_cpp

from .context import Prefill, disown_images, state_of
from .errors import StreamError
from .progress import Timings
from .selection import Selection


@dataclass
class Run:
    """What one call did. Complete when the answer is.

    ``prompt_tokens`` counts text and visual tokens, ``completion_tokens`` the sampled ones, end of text
    included. ``selections`` has one entry an image, in the order of the prompt.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    selections: list[Selection] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)
    started: float = field(default_factory=time.perf_counter)

    @property
    def visual_tokens(self) -> int:
        """Rows of all images that the language model saw."""
        return sum(s.visual_tokens for s in self.selections)

    @property
    def visual_tokens_full(self) -> int:
        """Rows that it would have seen with no token dropped."""
        return sum(s.visual_tokens_full for s in self.selections)


class TokenClock:
    """A stopping criterion that never stops: it counts sampled tokens and times the first and the last.

    llama-cpp-python calls it once a token, and once more at the end with the same ids.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, input_ids: Any, scores: Any) -> bool:
        """Note a sampled token."""
        timings = self._run.timings
        self._run.completion_tokens = len(input_ids) - self._run.prompt_tokens + 1
        timings.total_s = time.perf_counter() - self._run.started
        timings.ttft_s = timings.ttft_s or timings.total_s
        return False


def guarded_stream(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any]) -> Iterator[Any]:
    """The chunks of an answer, one locked step each.

    Raises StreamError if the context was given another prompt in between: going on would mix two answers.
    """
    return _steps(llama, prompt, chunks, state_of(llama).prompt_number)


def _steps(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any], number: int) -> Iterator[Any]:
    state = state_of(llama)
    try:
        while True:
            with state.lock:
                if state.prompt_number != number:
                    raise StreamError("this stream was cut off: its model has been given another prompt")
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk
    finally:
        if state.prompt_number == number and llama._ctx.ctx is not None:
            disown_images(llama, prompt.image_spans)
