"""HiREDChatHandler: a chat handler for llama-cpp-python that prefills only the budgeted visual tokens."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import llama_cpp

from ..context.ledger import Evaluable, ImageRows
from ..context.prefill import Prefill, prefill, state_of
from ..context.run import Run
from ..context.visual_rows import CachedEncoder, Selector, require_room, visual_rows
from ..errors import PromptError
from ..images.load import MAX_PIXELS, load_image, require_max_pixels
from ..images.sources import ImageSource
from ..model_files.mmproj import Mmproj, read_mmproj
from ..model_files.pair import check_pair
from ..native.amx_crash import require_sound_cpu
from ..native.llama import require_open
from ..native.pair import require_sound_text
from ..native.process import NativeLock, in_stale_fork, note_threads_of
from ..progress import Progress
from ..prompt.families import ModelFacts
from ..prompt.messages import ImagePart, Messages, Turn, parse_messages
from ..prompt.templates import ChatTemplate, Template, choose_template, named_template, render
from ..prompt.tokens import PromptTokenizer, Segment
from ..selection.budget import DEFAULT, BudgetOptions, TokenBudget
from ..selection.policies import SELECTIONS
from ..vision.cache import EncodingCache, encoder_identity
from ..vision.encoder import VisionEncoder
from ..vision.encoding import EncodedImage, TiledPicture
from .question import question_rows
from .request import read_request
from .stream import generate

_log = logging.getLogger("hired_gguf")

if TYPE_CHECKING:
    from typing_extensions import Unpack


class HandlerOptions(BudgetOptions, total=False):
    """The keyword arguments of `HiREDChatHandler`."""

    template: Template
    on_progress: Progress | None
    allow_http: bool
    max_pixels: int
    cache_bytes: int
    cache_dir: str | os.PathLike[str] | None
    n_threads: int | None
    device: str
    flash_attention: str
    verbose: bool


class HiREDChatHandler:
    """A chat handler: ``Llama(..., chat_handler=HiREDChatHandler("mmproj.gguf", budget=0.2))``.

    ``budget``, and ``tokens``, ``policy``, ``alpha``, ``allocation``, ``selection`` and ``newlines`` beside
    it, are those of `TokenBudget.changed`; ``token_budget`` may be set between calls, and a direct call of
    the handler takes the same names for itself alone.
    ``template`` is "vicuna", "mistral", "chatml", "llama-3", "phi-3", "obsidian", the path of a Jinja file,
    or None for the model's own; where the model has none, the one that its name and vocabulary tell of, with
    a word in the log. ``allow_http`` lets image URLs be fetched; ``max_pixels`` is that of `load_image`.
    ``last_run`` is the latest call's record. Encoded images stay in memory, up to ``cache_bytes`` (0 for
    none), and in files under ``cache_dir``, up to 4 GiB: as private as the images. The other options are
    those of `VisionEncoder`, which loads at the first image that is in neither.

    Mirrors the protocol of llama_cpp/llama_chat_format.py (LlamaChatCompletionHandler). The file is checked
    here: raises ModelFormatError or one of its kind, BudgetError, InputError, PromptError.
    """

    def __init__(
        self,
        mmproj: Mmproj,
        *,
        template: Template = None,
        on_progress: Progress | None = None,
        allow_http: bool = False,
        max_pixels: int = MAX_PIXELS,
        cache_bytes: int = 512 << 20,
        cache_dir: str | os.PathLike[str] | None = None,
        n_threads: int | None = None,
        device: str = "auto",
        flash_attention: str = "auto",
        verbose: bool = False,
        **budget: Unpack[BudgetOptions],
    ) -> None:
        self.token_budget = DEFAULT.changed(**budget)
        self.template = template
        self._chosen = None if template is None else named_template(template)
        self.on_progress = on_progress
        require_max_pixels(max_pixels)
        self.allow_http, self.max_pixels = allow_http, max_pixels
        self.info = read_mmproj(mmproj)
        self.last_run = Run()
        self._told: set[str] = set()
        self._encoder_options: dict[str, Any] = {
            "n_threads": n_threads,
            "device": device,
            "flash_attention": flash_attention,
            "verbose": verbose,
        }
        self._identity = encoder_identity(self.info, device, flash_attention)
        self._cache = EncodingCache(cache_bytes, cache_dir)
        self._encoder: VisionEncoder | None = None
        self._lock = NativeLock()

    def load(self) -> VisionEncoder:
        """The vision encoder. The first image loads it too, but then waits for it."""
        with self._lock:
            if self._encoder is None:
                self._encoder = VisionEncoder(self.info, **self._encoder_options)
            return self._encoder

    def close(self) -> None:
        """Free the vision encoder and the images in memory. The next image loads it again."""
        if in_stale_fork():
            return
        self._cache.clear()
        with self._lock:
            if self._encoder is not None:
                self._encoder.close()
                self._encoder = None

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_encoder", "_lock", "last_run")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _encoder=None, _lock=NativeLock(), last_run=Run())

    def __call__(
        self,
        *,
        llama: llama_cpp.Llama,
        messages: Messages,
        stream: bool = False,
        run: Run | None = None,
        fresh: bool = False,
        selector: Selector = EncodedImage.select_with,
        **options: Any,
    ) -> Any:
        """Answer a chat: a ChatCompletion dict, or an iterator of ChatCompletionChunk dicts if ``stream``.

        ``options`` are those of ``create_chat_completion``, those of `TokenBudget.changed`, and variables for
        the chat template. ``run`` is filled in with what the call does. With ``fresh`` the text after the
        last image is evaluated anew and apart, so that the answer has the same numbers whatever was asked
        before. ``selector`` chooses the tokens.

        Raises PromptError, ImageError, BudgetError, ContextOverflowError, ModelMismatchError, NativeError.
        """
        self.last_run = run = run or Run()
        with state_of(llama).lock:
            require_open(llama)
            note_threads_of(llama)
            require_sound_cpu(llama.model_path, llama.model_params.n_gpu_layers)
            require_sound_text(llama.model_path)
            request = read_request(llama, self.token_budget, options)
            tokenizer = PromptTokenizer(llama)
            template = self._template_of(llama, tokenizer)
            turns = parse_messages(messages)
            segments = _tokenise(tokenizer, template, turns, request.variables)
            pictures = self._pictures(tokenizer, turns, segments, request.budget)
            prompt = self._prefill(
                llama, segments, pictures, request.budget, selector=selector, run=run, fresh=fresh
            )
            return generate(llama, prompt, request, template.stop, run, stream=stream)

    def _template_of(self, llama: llama_cpp.Llama, tokenizer: PromptTokenizer) -> ChatTemplate:
        """The chat template of a model; one that was guessed is told once a model. Raises PromptError."""
        facts = ModelFacts.of(llama.metadata, tokenizer.specials)
        template = choose_template(self._chosen, llama.metadata.get("tokenizer.chat_template"), facts)
        if template.why and llama.model_path not in self._told:
            self._told.add(llama.model_path)
            _log.warning(
                "hired-gguf: chat template %s: %s (template= names another)", template.name, template.why
            )
        return template

    def _prefill(
        self,
        llama: llama_cpp.Llama,
        segments: Sequence[Segment],
        pictures: Sequence[TiledPicture],
        budget: TokenBudget,
        *,
        selector: Selector,
        run: Run,
        fresh: bool,
    ) -> Prefill:
        """The way of the paper: require room, encode, select and pack, prefill."""
        require_room(llama, _text_tokens(segments), pictures, budget)
        encoder = CachedEncoder(self.load, self._cache, self._identity)
        rows = visual_rows(encoder, pictures, budget, selector, run=run, on_progress=self.on_progress)
        evaluable = _interleave(segments, rows)
        run.prompt_tokens = sum(map(len, evaluable))
        prompt = prefill(llama, evaluable, run.timings, self.on_progress, fresh=fresh)
        run.reused_tokens = prompt.reused
        return prompt

    def _pictures(
        self,
        tokenizer: PromptTokenizer,
        turns: Sequence[Turn],
        segments: Sequence[Segment],
        budget: TokenBudget,
    ) -> list[TiledPicture]:
        """The pictures of a prompt, with what is asked about each if the selection goes by it."""
        parts = [segment for segment in segments if isinstance(segment, ImagePart)]
        pictures = [self._open_picture(tokenizer.llama, part.source) for part in parts]
        if "question" not in SELECTIONS[budget.selection].needs:
            return pictures
        return [
            replace(picture, question=question_rows(tokenizer, turns, part))
            for picture, part in zip(pictures, parts, strict=True)
        ]

    def _open_picture(self, llama: llama_cpp.Llama, source: ImageSource) -> TiledPicture:
        """Load and tile. Raises ImageError, ModelMismatchError."""
        loaded = load_image(source, allow_http=self.allow_http, max_pixels=self.max_pixels)
        picture = TiledPicture.of(loaded, self.info)
        check_pair(self.info, llama.n_embd(), llama.model_path)
        return picture


def _tokenise(
    tokenizer: PromptTokenizer, template: ChatTemplate, turns: Sequence[Turn], variables: Mapping[str, Any]
) -> list[Segment]:
    """Token ids and image parts in the order of the prompt. Raises PromptError."""
    llama = tokenizer.llama
    bos, eos = tokenizer.text_of(llama.token_bos()), tokenizer.text_of(llama.token_eos())
    segments = tokenizer(render(template, turns, bos, eos, variables))
    if not segments or isinstance(segments[-1], ImagePart):
        raise PromptError("the chat template puts no text after the last image: nothing to answer")
    return segments


def _text_tokens(segments: Sequence[Segment]) -> int:
    return sum(len(segment) for segment in segments if isinstance(segment, list))


def _interleave(segments: Sequence[Segment], rows: Sequence[ImageRows]) -> list[Evaluable]:
    """The segments with the rows of each image in its place."""
    images = iter(rows)
    return [segment if isinstance(segment, list) else next(images) for segment in segments]
