"""LlavaNext: a LLaVA-Next pair of GGUF files that answers questions about pictures."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import llama_cpp

from .chat.answer import Answer, AnswerStream
from .chat.conversation import Chat
from .chat.handler import HandlerOptions, HiREDChatHandler
from .closing import Closing
from .context.prefill import state_of
from .context.run import Run
from .context.visual_rows import Selector
from .errors import ClosedError
from .files import given_path
from .model_files.mmproj import Mmproj
from .native.cpu import on_gpu
from .native.handled_llama import load_llama
from .native.kernels import fast_cpu
from .native.pair import check_pair_runs
from .native.process import in_stale_fork, note_gpu
from .prompt.messages import Images, Messages, user_message
from .prompt.sampling import check_names
from .qa.batch import ask_many
from .qa.opener import Opener
from .qa.progress import OnProgress
from .qa.record import Record
from .qa.settings import QaSettings, settings_of_files
from .qa.task import Tasks
from .selection.budget import BUDGET_OPTIONS
from .vision.encoding import EncodedImage

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ModelOptions(HandlerOptions, total=False):
    """The keyword arguments of `LlavaNext`: the handler's, and those of ``llama_cpp.Llama`` that fit here."""

    n_batch: int
    n_ubatch: int
    flash_attn: bool
    offload_kqv: bool
    type_k: int
    type_v: int
    main_gpu: int
    split_mode: int
    tensor_split: list[float]
    use_mmap: bool
    use_mlock: bool
    numa: bool | int
    seed: int
    logits_all: bool


class LlavaNext(Closing):
    """A language model and its vision encoder, with a budget of visual tokens.

    ``budget``, and ``tokens``, ``policy``, ``alpha``, ``allocation``, ``selection`` and ``newlines`` beside
    it, are those of `TokenBudget.changed`; ``template``, ``allow_http``, ``max_pixels``, ``on_progress``,
    ``cache_bytes`` and ``cache_dir`` those of `HiREDChatHandler`. ``n_ctx`` counts tokens, visual ones
    included. ``n_gpu_layers=-1`` puts the whole language model on a GPU if llama-cpp-python was built for
    one; ``device`` is the encoder's. ``flash_attn`` is on for a language model on the CPU unless it is given:
    a prompt is read a sixth sooner, a token of the answer comes a twentieth later. Other options go to
    ``llama_cpp.Llama``.

    Raises ModelFormatError, ModelMismatchError or one of their kind before anything is loaded, NativeError if
    llama.cpp cannot load the model or give it a context of that size, TypeError for an unknown option.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        mmproj: Mmproj,
        *,
        n_ctx: int = 4096,
        n_gpu_layers: int = -1,
        **options: Unpack[ModelOptions],
    ) -> None:
        model = given_path(model)
        self._options: dict[str, Any] = {"n_ctx": n_ctx, "n_gpu_layers": n_gpu_layers, **options}
        self._folder = os.getcwd()  # from which paths were given
        given: dict[str, Any] = {**options}
        own = {name: given.pop(name) for name in HandlerOptions.__annotations__ if name in given}
        _require_known(given)
        self.handler = HiREDChatHandler(mmproj, **own)
        check_pair_runs(model, self.handler.info, n_gpu_layers)
        threads = own.get("n_threads")
        given.setdefault("flash_attn", not on_gpu(n_gpu_layers))
        with fast_cpu():
            self._llama: llama_cpp.Llama | None = load_llama(
                os.fspath(model),
                chat_handler=self.handler,
                n_ctx=n_ctx,
                n_gpu_layers=n_gpu_layers,
                n_threads=threads,
                n_threads_batch=threads,
                verbose=own.get("verbose", False),
                **given,
            )
        note_gpu(on_gpu(n_gpu_layers))
        self.handler.load()

    @property
    def llama(self) -> llama_cpp.Llama:
        """The underlying llama-cpp-python model."""
        if self._llama is None:
            raise ClosedError("this LlavaNext is closed")
        return self._llama

    @overload
    def ask(self, image: Images, question: str, *, stream: Literal[True], **options: Any) -> AnswerStream: ...
    @overload
    def ask(
        self, image: Images, question: str, *, stream: Literal[False] = ..., **options: Any
    ) -> Answer: ...
    def ask(
        self,
        image: Images,
        question: str,
        *,
        system: str | None = None,
        max_tokens: int = 256,
        temperature: float = 0.0,
        stream: bool = False,
        **options: Any,
    ) -> Answer | AnswerStream:
        """Ask about one picture, several (a list), or none (None).

        Greedy unless ``temperature`` says otherwise. Other options are those of ``create_chat_completion``,
        and those of `TokenBudget.changed` (``budget``, ``policy``...) for this question alone. With ``fresh``
        the text after the last image is evaluated anew and apart: the answer has the same numbers whatever
        was asked before. ``selector`` is another chooser of tokens: it takes an `EncodedImage`, of which all
        is computed, and a `TokenBudget`, and returns a `Selection`.
        """
        messages = [{"role": "system", "content": system}] if system is not None else []
        messages.append(user_message(question, image))
        options.update(max_tokens=max_tokens, temperature=temperature)
        return self.stream(messages, **options) if stream else self.answer(messages, **options)

    def answer(self, messages: Messages, **options: Any) -> Answer:
        """Answer a message list in OpenAI's form. Options as in `ask`, none with a default."""
        with state_of(self.llama).lock:  # else another thread's question would cut the stream off
            return self.stream(messages, **options).read()

    def stream(
        self,
        messages: Messages,
        *,
        fresh: bool = False,
        selector: Selector = EncodedImage.select_with,
        **options: Any,
    ) -> AnswerStream:
        """`answer` in pieces."""
        check_names(options)
        run = Run()
        chunks = self.handler(
            llama=self.llama,
            messages=messages,
            stream=True,
            run=run,
            fresh=fresh,
            selector=selector,
            **options,
        )
        return AnswerStream(chunks, run)

    def ask_many(
        self,
        tasks: Tasks,
        *,
        output: str | os.PathLike[str] | None = None,
        as_completed: bool = False,
        retry_errors: bool = False,
        force: bool = False,
        isolate: bool = False,
        task_timeout: float | None = None,
        memory_limit: int | None = None,
        on_progress: OnProgress | None = None,
        **options: Any,
    ) -> Iterator[Record]:
        """Answer many questions; one record (a dict, see docs/qa.md) for each task, in their order.

        A task is a mapping with ``image`` and ``question``, and perhaps ``id``, ``budget``, ``max_tokens``
        and ``schema``; what else is in it is ignored. Questions about one image run together. A task that
        fails gives a record with its error. With an ``output`` file, records are kept there as they come,
        and a run that was ended in any way goes on where it was. ``template`` holds "{question}" where a
        question goes, ``schema`` is a JSON schema for every answer. Further options are those of `ask`, as
        far as JSON can hold them.

        With ``isolate`` a worker process loads the same files once more and answers: a task that kills it,
        takes longer than ``task_timeout`` seconds or allocates more than ``memory_limit`` bytes gets a record
        with the status "crashed", and the run goes on (docs/batch.md).

        Raises InputError, BudgetError, PromptError; while iterated OutputError, OSError, CrashError where no
        worker survives loading.
        """
        opening = self._copy() if isolate else lambda: nullcontext(self)
        return ask_many(
            Opener(opening, isolate=isolate, task_timeout=task_timeout, memory_limit=memory_limit),
            tasks,
            self._settings(options),
            output=output,
            as_completed=as_completed,
            retry_errors=retry_errors,
            force=force,
            allow_http=self.handler.allow_http,
            max_pixels=self.handler.max_pixels,
            on_progress=on_progress,
        )

    def _copy(self) -> partial[LlavaNext]:
        """What another process can load the same model with, in whatever folder it is."""
        info = self.handler.info
        given = {name: value for name, value in self._options.items() if name != "on_progress"}
        mmproj = replace(info, path=Path(self._folder, info.path))
        return partial(LlavaNext, self._model_path(), mmproj, **given)

    def _model_path(self) -> str:
        return os.path.join(self._folder, self.llama.model_path)

    def _settings(self, options: dict[str, Any]) -> QaSettings:
        named = {f.name for f in fields(QaSettings)} - {
            "model",
            "mmproj",
            "token_budget",
            "chat_template",
            "sampling",
        }
        budget = {name: options.pop(name) for name in BUDGET_OPTIONS if name in options}
        given = {name: options.pop(name) for name in named if name in options}
        return settings_of_files(
            self._model_path(),
            self.handler.info,
            chat_template=self.handler.template,
            token_budget=self.handler.token_budget.changed(**budget),
            sampling=options,
            **given,
        )

    def chat(self, *, system: str | None = None, **options: Any) -> Chat:
        """Start a conversation; options are those of `ask`, for every turn."""
        return Chat(self, system=system, allow_http=self.handler.allow_http, **options)

    def close(self) -> None:
        """Free both models. Later calls raise ClosedError."""
        llama, self._llama = self._llama, None
        if llama is None or in_stale_fork():
            return
        with state_of(llama).lock:  # waits for what is under way in another thread
            self.handler.close()
            llama.close()


def _require_known(options: Mapping[str, Any]) -> None:
    """Raise TypeError for what ``llama_cpp.Llama`` does not know: it ignores unknown names silently."""
    known = {*inspect.signature(llama_cpp.Llama).parameters, *HandlerOptions.__annotations__}
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise TypeError(
                f"LlavaNext has no option {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
            )
