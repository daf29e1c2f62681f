"""HiREDChatHandler: a chat handler for llama-cpp-python that prefills only the budgeted visual tokens."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import llama_cpp

from ..context.prefill import Prefill, freshen, lend_images, prefill, state_of
from ..context.run import Run
from ..context.visual_rows import CachedEncoder, Selector, require_room, visual_rows
from ..errors import PromptError
from ..images.load import load_image
from ..model_files.mmproj import read_mmproj
from ..model_files.pair import check_pair
from ..native.amx_crash import require_sound_cpu
from ..native.llama import as_chat, keeps_logits, require_grammar, require_open, room
from ..progress import Progress
from ..prompt.answer_formats import Tool, ToolChoice, answer_grammar, as_tools, forced_tool
from ..prompt.messages import ImagePart, Messages, parse_messages
from ..prompt.sampling import PASSED_ON, check_sampling, stop_strings
from ..prompt.templates import ChatTemplate, choose_template, render
from ..prompt.tokens import PromptTokenizer, Segment
from ..selection.budget import BUDGET_OPTIONS, DEFAULT, BudgetOptions, TokenBudget
from ..vision.cache import EncodingCache, encoder_identity
from ..vision.encoder import VisionEncoder
from ..vision.encoding import EncodedImage, tiling_of
from .stream import REST_OF_CHARACTER, TokenClock, guarded_stream

if TYPE_CHECKING:
    from typing_extensions import Unpack


class HandlerOptions(BudgetOptions, total=False):
    """The keyword arguments of `HiREDChatHandler`."""

    template: str | None
    on_progress: Progress | None
    allow_http: bool
    cache_bytes: int
    cache_dir: str | os.PathLike[str] | None
    n_threads: int | None
    device: str
    flash_attention: str
    verbose: bool


class HiREDChatHandler:
    """Pass it as ``Llama(..., chat_handler=HiREDChatHandler("mmproj.gguf", budget=0.2))``.

    ``budget``, and ``tokens``, ``policy``, ``alpha``, ``allocation``, ``selection`` and ``newlines`` beside
    it, are those of `TokenBudget.changed`; ``token_budget`` may be set between calls, and a direct call of
    the handler takes the same names for itself alone.
    ``template`` is "vicuna", "mistral", "chatml" or None for the model's own. ``allow_http`` lets image URLs
    be fetched. ``last_run`` tells what the latest call did. Encoded images stay in memory, up to
    ``cache_bytes`` (0 for none), and in files under ``cache_dir`` if it is given, up to 4 GiB: they are as
    private as the images. The other options are those of `VisionEncoder`, which loads at the first image
    that is in neither.

    Mirrors the protocol of llama_cpp/llama_chat_format.py (LlamaChatCompletionHandler). The file is checked
    here: raises ModelFormatError or one of its kind, BudgetError, InputError, PromptError.
    """

    def __init__(
        self,
        mmproj: str | os.PathLike[str],
        *,
        template: str | None = None,
        on_progress: Progress | None = None,
        allow_http: bool = False,
        cache_bytes: int = 512 << 20,
        cache_dir: str | os.PathLike[str] | None = None,
        n_threads: int | None = None,
        device: str = "auto",
        flash_attention: str = "auto",
        verbose: bool = False,
        **budget: Unpack[BudgetOptions],
    ) -> None:
        self.token_budget = DEFAULT.changed(**budget)
        choose_template(template, None)
        self.template = template
        self.on_progress = on_progress
        self.allow_http = allow_http
        self.info = read_mmproj(mmproj)
        self.last_run = Run()
        self._encoder_options: dict[str, Any] = {
            "n_threads": n_threads,
            "device": device,
            "flash_attention": flash_attention,
            "verbose": verbose,
        }
        self._identity = encoder_identity(self.info, device, flash_attention)
        self._cache = EncodingCache(cache_bytes, cache_dir)
        self._encoder: VisionEncoder | None = None
        self._lock = threading.Lock()

    def load(self) -> VisionEncoder:
        """The vision encoder. The first image loads it too, but then waits for it."""
        with self._lock:
            if self._encoder is None:
                self._encoder = VisionEncoder(self.info, **self._encoder_options)
            return self._encoder

    def close(self) -> None:
        """Free the vision encoder and the images in memory. The next image loads it again."""
        self._cache.clear()
        with self._lock:
            if self._encoder is not None:
                self._encoder.close()
                self._encoder = None

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_encoder", "_lock", "last_run")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _encoder=None, _lock=threading.Lock(), last_run=Run())

    def __call__(
        self,
        *,
        llama: llama_cpp.Llama,
        messages: Messages,
        functions: Sequence[Mapping[str, Any]] | None = None,
        function_call: ToolChoice = None,
        tools: Sequence[Tool] | None = None,
        tool_choice: ToolChoice = None,
        response_format: Mapping[str, Any] | None = None,
        grammar: llama_cpp.LlamaGrammar | None = None,
        stream: bool = False,
        stop: str | Sequence[str] | None = None,
        max_tokens: int | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        run: Run | None = None,
        fresh: bool = False,
        selector: Selector = EncodedImage.select_with,
        **options: Any,
    ) -> Any:
        """Answer a chat: a ChatCompletion dict, or an iterator of ChatCompletionChunk dicts if ``stream``.

        ``run`` is filled in with what the call does. With ``fresh`` the text after the last image is
        evaluated anew, so that the answer has the numbers of a fresh context. ``selector`` chooses the
        tokens. Options that neither sampling nor `TokenBudget` knows are variables for the chat template.

        Raises PromptError, ImageError, BudgetError, ContextOverflowError, ModelMismatchError, NativeError.
        """
        self.last_run = run = run or Run()
        given = {name: options.pop(name, None) for name in PASSED_ON}
        sampling = {"temperature": 0.2, **{name: v for name, v in given.items() if v is not None}}
        if logprobs and not keeps_logits(llama):
            raise PromptError("logprobs need Llama(logits_all=True)")
        config = self.token_budget.changed(**{n: options.pop(n) for n in BUDGET_OPTIONS if n in options})
        tools, tool_choice = as_tools(functions, function_call, tools, tool_choice)
        tool = forced_tool(tools, tool_choice)
        grammar = answer_grammar(response_format, tool) or grammar
        tool_name = None if tool is None else tool["function"]["name"]
        if grammar is not None:
            require_grammar(llama, grammar)
        template = choose_template(self.template, llama.metadata.get("tokenizer.chat_template"))

        with state_of(llama).lock:
            require_open(llama)
            require_sound_cpu(llama.model_path, llama.model_params.n_gpu_layers)
            numbers = {**sampling, "max_tokens": max_tokens, "top_logprobs": top_logprobs}
            check_sampling(numbers, llama.n_vocab())
            segments = self._tokenise(llama, template, messages, {"tools": tools, **options})
            if fresh:
                freshen(llama)
            prompt = self._prefill(llama, segments, config, selector, run)
            space = room(llama) - len(prompt.ids)
            most = min(max_tokens, space) if max_tokens and max_tokens > 0 else space
            clock = TokenClock(run, len(prompt.ids) + min(most + REST_OF_CHARACTER, space))
            with lend_images(llama, prompt):
                completion = llama.create_completion(
                    prompt=prompt.ids,
                    stream=stream,
                    stop=stop_strings(stop, template.stop),
                    max_tokens=most,
                    logprobs=(top_logprobs or 0) if logprobs else None,
                    grammar=grammar,
                    stopping_criteria=llama_cpp.StoppingCriteriaList([clock]),
                    **sampling,
                )
            if not stream:
                completion["usage"]["prompt_tokens_details"] = {"cached_tokens": run.reused_tokens}
                return as_chat(clock.correct(completion), tool_name, stream)
            return guarded_stream(llama, prompt, as_chat(map(clock.correct, completion), tool_name, stream))

    def _tokenise(
        self,
        llama: llama_cpp.Llama,
        template: ChatTemplate,
        messages: Messages,
        variables: Mapping[str, Any],
    ) -> list[Segment]:
        tokenizer = PromptTokenizer(llama)
        bos, eos = tokenizer.text_of(llama.token_bos()), tokenizer.text_of(llama.token_eos())
        segments = tokenizer(render(template, parse_messages(messages), bos, eos, variables))
        if not segments or isinstance(segments[-1], ImagePart):
            raise PromptError(
                "the chat template puts no text after the last image, so there is nothing to answer"
            )
        return segments

    def _prefill(
        self,
        llama: llama_cpp.Llama,
        segments: Sequence[Segment],
        config: TokenBudget,
        selector: Selector,
        run: Run,
    ) -> Prefill:
        text_tokens = sum(len(s) for s in segments if isinstance(s, list))
        sources = [s.source for s in segments if isinstance(s, ImagePart)]
        pictures = [load_image(source, allow_http=self.allow_http) for source in sources]
        if pictures:
            check_pair(self.info, llama.n_embd(), llama.model_path)
        tilings = [tiling_of(self.info, (picture.height, picture.width)) for picture in pictures]
        require_room(llama, text_tokens, tilings, config)

        encoder = CachedEncoder(self.load, self._cache, self._identity)
        tiled = list(zip(pictures, tilings, strict=True))
        rows = visual_rows(encoder, tiled, config, selector, run=run, on_progress=self.on_progress)
        evaluable = [next(rows) if isinstance(s, ImagePart) else s for s in segments]
        run.prompt_tokens = sum(map(len, evaluable))
        prompt = prefill(llama, evaluable, run.timings, self.on_progress)
        run.reused_tokens = prompt.reused
        return prompt
