"""hired-gguf as an engine of the benchmark."""

from __future__ import annotations

from ..model import LlavaNext
from ..model_files.pair import read_text_model
from ..native.kernels import text_kernel
from .engine import EngineSettings, warm_up
from .measurement import Measurement, StreamClock, kv_bytes_per_token, peak_rss


class OurEngine:
    """LlavaNext at one budget."""

    def __init__(self, settings: EngineSettings) -> None:
        self.llm = LlavaNext(
            settings.model,
            settings.mmproj,
            budget=1.0 if settings.budget is None else settings.budget,
            n_ctx=settings.n_ctx,
            n_threads=settings.n_threads,
            n_gpu_layers=settings.gpu_layers,
        )
        self._kernel = text_kernel(read_text_model(settings.model).file_type)
        warm_up(self.llm.llama)

    def ask(self, image: str, question: str, max_tokens: int) -> Measurement:
        """Answer greedily about the PNG at a path. The stages are those that the answer reports."""
        clock = StreamClock()
        asked = self.llm.ask(image, question, stream=True, max_tokens=max_tokens)
        clock.read(asked)
        run = asked.run
        timings = run.timings
        partitions = sum(selection.tiling.partitions for selection in run.selections)
        return Measurement(
            ttft_s=clock.first_s,
            encode_s=timings.encode_s,
            encode_per_tile_s=timings.encode_s / partitions,
            select_s=timings.select_s,
            prefill_visual_s=timings.prefill_visual_s,
            prefill_text_s=timings.prefill_text_s,
            total_s=clock.total_s,
            token_s=clock.token_s(run.completion_tokens),
            tokens_per_s=run.completion_tokens / clock.total_s,
            peak_rss_bytes=peak_rss(),
            kv_visual_bytes=run.visual_tokens * kv_bytes_per_token(self.llm.llama.metadata),
            visual_tokens=run.visual_tokens,
            visual_tokens_full=run.visual_tokens_full,
            partitions=partitions,
            prompt_tokens=run.prompt_tokens,
            completion_tokens=run.completion_tokens,
            n_ctx=self.llm.llama.n_ctx(),
            kernel=self._kernel,
        )
