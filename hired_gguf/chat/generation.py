"""An answer while it is made: sampled tokens to the chunks of a completion, whole or in pieces."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import llama_cpp

from ..context.prefill import Prefill
from ..context.run import Run
from ..native.llama import reseed, room
from ..native.vocabulary import is_end, token_bytes
from ..prompt.json_grammar import JsonGrammar
from ..prompt.sampling import sampler_options
from .callbacks import Callbacks
from .logprobs import Logprobs, joined
from .request import Request
from .text import AnswerText

if TYPE_CHECKING:
    from .constraint import Constraint

REST_OF_CHARACTER = 3  # bytes, so at most as many tokens


class Generation:
    """One answer on its way: tokens of `Llama.generate` to the chunks of a completion.

    ``Llama.create_completion`` loses characters: after one byte that is no UTF-8 it streams no other that has
    several, and a whole answer leaves bytes out. Here both are made of the same pieces.
    """

    def __init__(
        self, llama: llama_cpp.Llama, prompt: Prefill, request: Request, stop: Sequence[str], run: Run
    ) -> None:
        self._llama, self._prompt, self._request, self._run = llama, prompt, request, run
        self._space = room(llama) - len(prompt.ids)
        given = request.max_tokens
        self._most = min(given, self._space) if given and given > 0 else self._space
        self._callbacks = Callbacks(llama)
        self._text = AnswerText(stop)
        self._shown = 0
        self._logprobs = None if request.logprobs is None else Logprobs(llama, request.logprobs)
        self._constraint = _constraint(llama, request.grammar)
        self._made = {
            "id": f"cmpl-{uuid.uuid4()}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": request.sampling.get("model") or llama.model_path,
        }
        self.tokens = 0
        """Those of the answer, end of text excluded."""

    def chunks(self) -> Iterator[dict[str, Any]]:
        """A chunk for each piece of text, and one with the reason for the end."""
        reason = "length"
        for token in self._sampled():
            self._callbacks.check()
            self._clock()
            if is_end(self._llama, token):
                reason = "stop"
                break
            piece = self._take(token)
            if piece:
                yield self._chunk(piece, self._shown)
            if self._text.stopped or (self._constraint is not None and self._constraint.done):
                reason = "stop"
                break
            if self._is_full():
                break
        rest = "" if self._text.stopped else self._text.add(b"", final=True)
        if self._text.stopped:
            reason = "stop"
        if last := self._last(rest):
            yield last
        yield self._chunk("", 0, reason)

    def whole(self) -> dict[str, Any]:
        """All at once."""
        chunks = [chunk["choices"][0] for chunk in self.chunks()]
        text = "".join(choice["text"] for choice in chunks)
        choice = {**chunks[-1], "text": text, "logprobs": joined([choice["logprobs"] for choice in chunks])}
        read = len(self._prompt.ids)
        usage = {
            "prompt_tokens": read,
            "completion_tokens": self.tokens,
            "total_tokens": read + self.tokens,
            "prompt_tokens_details": {"cached_tokens": self._run.reused_tokens},
        }
        return {**self._made, "choices": [choice], "usage": usage}

    def _sampled(self) -> Iterator[int]:
        reseed(self._llama, self._request.sampling.get("seed"))
        mask = None if self._constraint is None else self._constraint.mask
        options = sampler_options(self._request.sampling, mask, self._callbacks.kept)
        grammar = None if self._constraint else self._request.grammar
        yield from self._llama.generate(self._prompt.ids, grammar=grammar, **options)

    def _clock(self) -> None:
        timings = self._run.timings
        self._run.completion_tokens = self.tokens + 1
        timings.total_s = time.perf_counter() - self._run.started
        timings.ttft_s = timings.ttft_s or timings.total_s

    def _take(self, token: int) -> str:
        if self._constraint is not None:
            self._constraint.accept(token)
        if self._logprobs is not None:
            self._logprobs.add(token, len(self._prompt.ids) + self.tokens - 1, self._text.length)
        self.tokens += 1
        piece = self._text.add(token_bytes(self._llama, token))
        self._shown += len(piece)
        return piece

    def _is_full(self) -> bool:
        """Whether the limit is reached. A character of several bytes may be finished behind it."""
        limit = self._most + (REST_OF_CHARACTER if self._text.waits else 0)
        return self.tokens >= min(limit, self._space)

    def _last(self, rest: str) -> dict[str, Any] | None:
        self._shown += len(rest)
        last = self._chunk(rest, self._shown if self._text.stopped else None)
        return last if rest or last["choices"][0]["logprobs"] else None

    def _chunk(self, text: str, shown: int | None, reason: str | None = None) -> dict[str, Any]:
        logprobs = None if self._logprobs is None else self._logprobs.release(shown)
        choice = {"text": text, "index": 0, "logprobs": logprobs, "finish_reason": reason}
        return {**self._made, "choices": [choice]}


def _constraint(llama: llama_cpp.Llama, grammar: object) -> Constraint | None:
    """What holds the answer to a JSON schema, if it has one."""
    if not isinstance(grammar, JsonGrammar):
        return None
    from .constraint import Constraint  # noqa: PLC0415  llguidance takes long to load

    return Constraint(llama, grammar)
