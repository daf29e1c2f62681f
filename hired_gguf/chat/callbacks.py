"""The caller's own code in the middle of an answer: what it raises comes out, what it does is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llama_cpp

from ..context.prefill import state_of
from ..errors import StreamError
from ..native.llama import require_open
from ..native.process import calling_back, end_thread_with_python

CUT_OFF = "this stream was cut off: its model has been given another prompt"


class Callbacks:
    """Guards an answer against its caller's logits processors: ctypes drops what they raise."""

    def __init__(self, llama: llama_cpp.Llama) -> None:
        self._llama, self._number = llama, state_of(llama).prompt_number
        self._raised: BaseException | None = None

    def kept(self, processor: Callable[..., Any]) -> Callable[..., Any]:
        """The processor, whose error `check` raises."""

        def process(input_ids: Any, scores: Any) -> Any:
            try:
                with calling_back():
                    return scores if self._raised else processor(input_ids, scores)
            except BaseException as error:  # Ctrl-C may come here, too
                self._raised = error
                return scores

        return process

    def check(self) -> None:
        """After a token: raise what a processor raised, and what `require_same_prompt` does."""
        end_thread_with_python()
        if self._raised is not None:
            raise self._raised
        require_same_prompt(self._llama, self._number)  # a logits processor can do anything


def require_same_prompt(llama: llama_cpp.Llama, number: int) -> None:
    """Raise ClosedError, or StreamError if the model has been given another prompt since that one."""
    require_open(llama)
    if state_of(llama).prompt_number != number:
        raise StreamError(CUT_OFF)
