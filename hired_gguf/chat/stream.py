"""From an evaluated prompt to an answer: what counts and times its tokens, and what guards its context."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import llama_cpp

from ..context.prefill import Prefill, lend_images, state_of
from ..context.run import Run
from ..errors import StreamError
from ..native.llama import as_chat, require_open, room, trace
from ..native.process import calling_back, end_thread_with_python
from ..prompt.sampling import stop_strings
from .request import Request

CUT_OFF = "this stream was cut off: its model has been given another prompt"
REST_OF_CHARACTER = 3  # bytes, so at most as many tokens


class TokenClock:
    """A stopping criterion that counts sampled tokens and times the first and the last.

    llama-cpp-python calls it once a token, and once more at the end with the same ids. It stops the answer
    at ``limit`` positions: llama-cpp-python does not look at its own limits while a character of several
    bytes is incomplete, and a model can begin such characters for ever.
    """

    def __init__(self, llama: llama_cpp.Llama, run: Run, limit: int) -> None:
        self._llama, self._number = llama, state_of(llama).prompt_number
        self._run = run
        self._limit = limit
        self._raised: BaseException | None = None
        self._full = False

    def __call__(self, input_ids: Any, scores: Any) -> bool:
        """Whether to stop, before the newest token joins ``input_ids``."""
        end_thread_with_python()
        if self._raised is not None:
            raise self._raised
        _require_same_prompt(self._llama, self._number)  # a logits processor can do anything
        timings = self._run.timings
        self._run.completion_tokens = len(input_ids) - self._run.prompt_tokens + 1
        timings.total_s = time.perf_counter() - self._run.started
        timings.ttft_s = timings.ttft_s or timings.total_s
        self._full = len(input_ids) >= self._limit
        return self._full

    def kept(self, processor: Any) -> llama_cpp.LogitsProcessorList:
        """The caller's logits processor, whose error this clock raises when called next: ctypes drops it."""

        def process(input_ids: Any, scores: Any) -> Any:
            try:
                with calling_back():
                    return scores if self._raised else processor(input_ids, scores)
            except BaseException as error:  # Ctrl-C may come here, too
                self._raised = error
                return scores

        return llama_cpp.LogitsProcessorList([process])

    def correct(self, completion: dict[str, Any]) -> dict[str, Any]:
        """The completion or chunk, with "length" for a reason if this stopped it."""
        choice = completion["choices"][0]
        if self._full and choice["finish_reason"] == "stop":
            choice["finish_reason"] = "length"
        return completion


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
    space = room(llama) - len(prompt.ids)
    most = min(request.max_tokens, space) if request.max_tokens and request.max_tokens > 0 else space
    clock = TokenClock(llama, run, len(prompt.ids) + min(most + REST_OF_CHARACTER, space))
    sampling = dict(request.sampling)
    if processor := sampling.get("logits_processor"):
        sampling["logits_processor"] = clock.kept(processor)
    with lend_images(llama, prompt):
        completion = llama.create_completion(
            prompt=prompt.ids,
            stream=stream,
            stop=stop_strings(request.stop, template_stop),
            max_tokens=most,
            logprobs=request.logprobs,
            grammar=request.grammar,
            stopping_criteria=llama_cpp.StoppingCriteriaList([clock]),
            **sampling,
        )
    if stream:
        chunks = as_chat(map(clock.correct, completion), request.tool_name, stream)
        return guarded_stream(llama, prompt, chunks)
    completion["usage"]["prompt_tokens_details"] = {"cached_tokens": run.reused_tokens}
    return as_chat(clock.correct(completion), request.tool_name, stream)


def guarded_stream(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any]) -> Iterator[Any]:
    """The chunks of an answer, one locked step each.

    Raises StreamError if the context was used for something else in between: going on would mix two answers.
    """
    return _steps(llama, prompt, chunks, state_of(llama).prompt_number)


def _require_same_prompt(llama: llama_cpp.Llama, number: int) -> None:
    """Raise ClosedError, or StreamError if the model has been given another prompt since that one."""
    require_open(llama)
    if state_of(llama).prompt_number != number:
        raise StreamError(CUT_OFF)


def _steps(llama: llama_cpp.Llama, prompt: Prefill, chunks: Iterator[Any], number: int) -> Iterator[Any]:
    state = state_of(llama)
    while True:
        with state.lock:
            _require_same_prompt(llama, number)
            if not state.ledger.is_true(trace(llama)):
                raise StreamError(CUT_OFF)
            with lend_images(llama, prompt):
                chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk
