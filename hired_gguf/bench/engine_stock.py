"""llama-cpp-python with its own LLaVA handler as an engine of the benchmark, its stages timed from outside.

Its handler calls mtmd_helper_eval_chunk_single for each tile, which encodes the tile and then prefills it.
Here two functions of the same library do that one after the other, just as the helper does, with a clock
between. mtmd_tokenize, which resizes and cuts the picture, counts as encoding.
"""

from __future__ import annotations

import base64
import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import llama_cpp
from llama_cpp.llama_chat_format import Llava16ChatHandler

from ..native.llama import synchronize
from .engine import EngineSettings, warm_up
from .measurement import Measurement, StreamClock, kv_bytes_per_token, peak_rss


@dataclass
class Stages:
    """Seconds and counts of one answer's prompt."""

    encode_s: float = 0.0
    prefill_visual_s: float = 0.0
    eval_s: float = 0.0
    visual_tokens: int = 0
    partitions: int = 0
    prompt_tokens: int = 0


class TimedMtmd:
    """Stands in for the module llama_cpp.mtmd_cpp, and times what an answer's image costs."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.stages = Stages()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def mtmd_tokenize(self, *arguments: Any) -> int:
        """The module's, timed."""
        started = time.perf_counter()
        status: int = self._module.mtmd_tokenize(*arguments)
        self.stages.encode_s += time.perf_counter() - started
        return status

    def mtmd_helper_eval_chunk_single(self, *arguments: Any) -> int:
        """The module's, in its two halves."""
        stages, mtmd = self.stages, self._module
        ctx, lctx, chunk, n_past, sequence, n_batch, _, new_n_past = arguments
        started = time.perf_counter()
        if status := mtmd.mtmd_encode_chunk(ctx, chunk):
            return int(status)
        encoded = time.perf_counter()
        rows = mtmd.mtmd_get_output_embd(ctx)
        nothing = mtmd.mtmd_helper_post_decode_callback()
        status = mtmd.mtmd_helper_decode_image_chunk(
            ctx, lctx, chunk, rows, n_past, sequence, n_batch, new_n_past, nothing, ctypes.c_void_p(0)
        )
        llama_cpp.llama_synchronize(lctx)
        stages.prefill_visual_s += time.perf_counter() - encoded
        stages.encode_s += encoded - started
        stages.partitions += 1
        stages.visual_tokens += mtmd.mtmd_input_chunk_get_n_tokens(chunk)
        return int(status)


@contextmanager
def model_defaults(**changes: Any) -> Iterator[None]:
    """Models loaded meanwhile have other llama_model_params, which are no arguments of ``Llama``."""
    module = llama_cpp.llama_cpp
    usual = module.llama_model_default_params

    def changed() -> Any:
        params = usual()
        for name, value in changes.items():
            setattr(params, name, value)
        return params

    module.llama_model_default_params = changed
    try:
        yield
    finally:
        module.llama_model_default_params = usual


class StockEngine:
    """``Llama`` and ``Llava16ChatHandler`` as their documentation shows."""

    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, settings: EngineSettings) -> None:
        self._handler = Llava16ChatHandler(clip_model_path=settings.mmproj, verbose=False)
        with model_defaults(**self.defaults):
            self._llama = llama_cpp.Llama(
                settings.model,
                chat_handler=self._handler,
                n_ctx=settings.n_ctx,
                n_threads=settings.n_threads,
                n_threads_batch=settings.n_threads,
                n_gpu_layers=settings.gpu_layers,
                verbose=False,
            )
        self._handler._init_mtmd_context(self._llama)  # else the first answer would pay for loading
        self._mtmd = self._handler._mtmd_cpp = TimedMtmd(self._handler._mtmd_cpp)
        self._llama.eval = self._timed(self._llama.eval)
        warm_up(self._llama)

    def ask(self, image: str, question: str, max_tokens: int) -> Measurement:
        """Answer greedily about the PNG at a path."""
        self._mtmd.stages = stages = Stages()
        clock = StreamClock()
        clock.read(self._pieces(image, question, max_tokens))
        generated = self._llama.n_tokens - stages.prompt_tokens + 1  # the last one is sampled, not evaluated
        return Measurement(
            ttft_s=clock.first_s,
            encode_s=stages.encode_s,
            encode_per_tile_s=stages.encode_s / stages.partitions,
            select_s=0.0,
            prefill_visual_s=stages.prefill_visual_s,
            prefill_text_s=stages.eval_s,
            total_s=clock.total_s,
            token_s=clock.token_s(generated),
            tokens_per_s=generated / clock.total_s,
            peak_rss_bytes=peak_rss(),
            kv_visual_bytes=stages.visual_tokens * kv_bytes_per_token(self._llama.metadata),
            visual_tokens=stages.visual_tokens,
            visual_tokens_full=stages.visual_tokens,
            partitions=stages.partitions,
            prompt_tokens=stages.prompt_tokens,
            completion_tokens=generated,
            n_ctx=self._llama.n_ctx(),
            kernel="ggml",
        )

    def _pieces(self, image: str, question: str, max_tokens: int) -> Iterator[str]:
        url = "data:image/png;base64," + base64.b64encode(Path(image).read_bytes()).decode()
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question}]
        chunks = self._llama.create_chat_completion(
            messages=[{"role": "user", "content": content}],
            max_tokens=max_tokens,
            temperature=0.0,
            stream=True,
        )
        self._mtmd.stages.prompt_tokens = self._llama.n_tokens  # all of the prompt is evaluated by now
        for chunk in chunks:
            yield chunk["choices"][0]["delta"].get("content") or ""

    def _timed(self, evaluate: Callable[[Any], None]) -> Callable[[Any], None]:
        """Llama.eval, which counts while there is a prompt to evaluate, not for the answer's tokens."""

        def timed(tokens: Any) -> None:
            started = time.perf_counter()
            evaluate(tokens)
            if not self._mtmd.stages.prompt_tokens:
                synchronize(self._llama)
                self._mtmd.stages.eval_s += time.perf_counter() - started

        return timed


class PlainStockEngine(StockEngine):
    """The same without ggml's repacked weights, which is its quicker way for some types on some CPUs."""

    defaults: ClassVar[dict[str, Any]] = {"use_extra_bufts": False}
