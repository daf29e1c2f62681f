"""From an evaluated prompt to an answer, and what guards its context while it streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import llama_cpp

from ..context.prefill import Prefill, lend_images, state_of
from ..context.run import Run
from ..errors import StreamError
from ..native.llama import as_chat, trace
from ..prompt.sampling import stop_strings
from .callbacks import CUT_OFF, require_same_prompt
from .generation import Generation
from .request import Request


def generate(
    llama: llama_cpp.Llama,
    prompt: Prefill,
    request: Request,
    template_stop: Sequence[str],
    run: Run,
    *,
    stream: bool,
) -> Any:
    """The answer to an evaluated prompt: a ChatCompletion dict, or an iterator of chunks if ``stream``."""
    generation = Generation(llama, prompt, request, stop_strings(request.stop, template_stop), run)
    if stream:
        return guarded_stream(llama, prompt, as_chat(generation.chunks(), request.tool_name, stream))
    with lend_images(llama, prompt):
        completion = generation.whole()
    return as_chat(completion, request.tool_name, stream)


def guarded_stream(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any]) -> Iterator[Any]:
    """The chunks of an answer, one locked step each.

    Raises StreamError if the context was used for something else in between: going on would mix two answers.
    """
    return _steps(llama, prompt, chunks, state_of(llama).prompt_number)


def _steps(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any], number: int) -> Iterator[Any]:
    state = state_of(llama)
    while True:
        with state.lock:
            require_same_prompt(llama, number)
            if not state.ledger.is_true(trace(llama)):
                raise StreamError(CUT_OFF)
            with lend_images(llama, prompt):
                chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk
