"""One call's record: what it did, how long each stage took, and the stream that fills it in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import llama_cpp

from .context.prefill import Prefill, lend_images, require_open, state_of
from .errors import StreamError
from .progress import Timings
from .selection.selection import Selection

REST_OF_CHARACTER = 3  # bytes, so at most as many tokens


@dataclass
class Run:
    """What one call did. Complete when the answer is.

    ``prompt_tokens`` counts text and visual tokens, ``completion_tokens`` the sampled ones, end of text
    included. ``reused_tokens`` of the prompt were in the context already. Of the images, ``encoded_images``
    went through the vision encoder and ``reused_encodings`` did not. ``selections`` has one entry an image,
    in the order of the prompt.
    """

    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    encoded_images: int = 0
    reused_encodings: int = 0
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
    """A stopping criterion that counts sampled tokens and times the first and the last.

    llama-cpp-python calls it once a token, and once more at the end with the same ids. It stops the answer
    at ``limit`` positions: llama-cpp-python does not look at its own limits while a character of several
    bytes is incomplete, and a model can begin such characters for ever.
    """

    def __init__(self, run: Run, limit: int) -> None:
        self._run = run
        self._limit = limit
        self._full = False

    def __call__(self, input_ids: Any, scores: Any) -> bool:
        """Whether to stop, before the newest token joins ``input_ids``."""
        timings = self._run.timings
        self._run.completion_tokens = len(input_ids) - self._run.prompt_tokens + 1
        timings.total_s = time.perf_counter() - self._run.started
        timings.ttft_s = timings.ttft_s or timings.total_s
        self._full = len(input_ids) >= self._limit
        return self._full

    def correct(self, completion: dict[str, Any]) -> dict[str, Any]:
        """The completion or chunk, with "length" for a reason if this stopped it."""
        choice = completion["choices"][0]
        if self._full and choice["finish_reason"] == "stop":
            choice["finish_reason"] = "length"
        return completion


def guarded_stream(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any]) -> Iterator[Any]:
    """The chunks of an answer, one locked step each.

    Raises StreamError if the context was used for something else in between: going on would mix two answers.
    """
    return _steps(llama, prompt, chunks, state_of(llama).prompt_number)


def _steps(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any], number: int) -> Iterator[Any]:
    state = state_of(llama)
    while True:
        with state.lock:
            require_open(llama)
            if state.prompt_number != number or not state.ledger.is_true(llama):
                raise StreamError("this stream was cut off: its model has been given another prompt")
            with lend_images(llama, prompt):
                chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk
