"""LlavaNext: a LLaVA-Next pair of GGUF files that answers questions about pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, overload

import llama_cpp

from .amx import require_sound_cpu
from .chat_handler import HiREDChatHandler
from .context import state_of
from .errors import ClosedError, NativeError
from .image import ImageSource
from .mmproj import check_pair, check_text_model
from .progress import Progress, Timings
from .run import Run
from .sampling import check_names

Images = ImageSource | Sequence[ImageSource] | None


@dataclass(frozen=True)
class Answer:
    """An answer and what it cost; ``str(answer)`` is the text.

    ``visual_tokens`` of ``visual_tokens_full`` rows were prefilled. ``finish_reason`` is "stop" or "length".
    """

    text: str
    visual_tokens: int
    visual_tokens_full: int
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    timings: Timings

    def __str__(self) -> str:
        return self.text


class AnswerStream(Iterator[str]):
    """The pieces of an answer as they come. ``answer`` is there once they are through."""

    def __init__(self, chunks: Iterator[Any], run: Run) -> None:
        self.answer: Answer | None = None
        self._chunks = chunks
        self._run = run
        self._text = ""

    def __next__(self) -> str:
        for chunk in self._chunks:
            choice = chunk["choices"][0]
            if choice["finish_reason"] is not None:
                self.answer = self._finish(choice["finish_reason"])
            if piece := choice["delta"].get("content"):
                self._text += piece
                return str(piece)
        raise StopIteration

    def read(self) -> Answer:
        """Read to the end."""
        for _ in self:
            pass
        return self.answer or self._finish("length")

    def _finish(self, reason: str) -> Answer:
        run = self._run
        return Answer(
            text=self._text.strip(),
            visual_tokens=run.visual_tokens,
            visual_tokens_full=run.visual_tokens_full,
            prompt_tokens=run.prompt_tokens,
            completion_tokens=run.completion_tokens,
            finish_reason=reason,
            timings=run.timings,
        )


class LlavaNext:
    """A language model and its vision encoder, with a budget of visual tokens.

    ``budget``, ``alpha``, ``allocation`` and ``newlines`` are those of `TokenBudget`; ``template``,
    ``allow_http`` and ``on_progress`` those of `HiREDChatHandler`. ``n_ctx`` counts tokens, visual ones
    included. ``n_gpu_layers=-1`` puts the whole language model on a GPU if llama-cpp-python was built for
    one; ``device`` is the encoder's. Other options go to ``llama_cpp.Llama``.

    Raises ModelFormatError, ModelMismatchError or one of their kind before anything is loaded, NativeError if
    llama.cpp cannot load the model or give it a context of that size.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        mmproj: str | os.PathLike[str],
        *,
        budget: int | float = 0.2,
        alpha: float = 0.5,
        allocation: str = "hired",
        newlines: str = "auto",
        template: str | None = None,
        allow_http: bool = False,
        on_progress: Progress | None = None,
        n_ctx: int = 4096,
        n_gpu_layers: int = -1,
        n_threads: int | None = None,
        device: str = "auto",
        flash_attention: str = "auto",
        verbose: bool = False,
        **llama_options: Any,
    ) -> None:
        text = check_text_model(model)
        require_sound_cpu(text.path, n_gpu_layers)
        self.handler = HiREDChatHandler(
            mmproj,
            budget=budget,
            alpha=alpha,
            allocation=allocation,
            newlines=newlines,
            template=template,
            allow_http=allow_http,
            on_progress=on_progress,
            n_threads=n_threads,
            device=device,
            flash_attention=flash_attention,
            verbose=verbose,
        )
        check_pair(self.handler.info, text.width, model)
        self._llama: llama_cpp.Llama | None = _load(
            os.fspath(model),
            chat_handler=self.handler,
            n_ctx=n_ctx,
            n_gpu_layers=n_gpu_layers,
            n_threads=n_threads,
            n_threads_batch=n_threads,
            verbose=verbose,
            **llama_options,
        )
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
        and ``budget``, ``alpha``, ``allocation`` and ``newlines`` for this question alone.
        """
        messages = [{"role": "system", "content": system}] if system is not None else []
        messages.append(user_message(question, image))
        options.update(max_tokens=max_tokens, temperature=temperature)
        return self.stream(messages, **options) if stream else self.answer(messages, **options)

    def answer(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> Answer:
        """Answer a message list in OpenAI's form. Options as in `ask`, none with a default."""
        with state_of(self.llama).lock:  # else another thread's question would cut the stream off
            return self.stream(messages, **options).read()

    def stream(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> AnswerStream:
        """`answer` in pieces."""
        check_names(options)
        run = Run()
        chunks = self.handler(llama=self.llama, messages=messages, stream=True, run=run, **options)
        return AnswerStream(chunks, run)

    def chat(self, *, system: str | None = None, **options: Any) -> Chat:
        """Start a conversation; options are those of `ask`, for every turn."""
        return Chat(self, system=system, **options)

    def close(self) -> None:
        """Free both models. Later calls raise ClosedError."""
        llama, self._llama = self._llama, None
        if llama is None:
            return
        with state_of(llama).lock:  # waits for what is under way in another thread
            self.handler.close()
            llama.close()

    def __enter__(self) -> LlavaNext:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Chat:
    """A conversation. ``messages`` is its history in OpenAI's form; an unfinished turn leaves none."""

    def __init__(self, llm: LlavaNext, *, system: str | None = None, **options: Any) -> None:
        self.messages: list[dict[str, Any]] = []
        if system is not None:
            self.messages.append({"role": "system", "content": system})
        self._llm = llm
        self._options = {"temperature": 0.0, "max_tokens": 256, **options}

    def send(self, text: str, image: Images = None, **options: Any) -> Answer:
        """Say something, with pictures if you like, and get the answer. Options as in `LlavaNext.ask`."""
        turn = user_message(text, image)
        answer = self._llm.answer([*self.messages, turn], **{**self._options, **options})
        self._keep(turn, answer)
        return answer

    def stream(self, text: str, image: Images = None, **options: Any) -> Iterator[str]:
        """`send` in pieces. The turn joins the history when the last piece is through."""
        turn = user_message(text, image)
        pieces = self._llm.stream([*self.messages, turn], **{**self._options, **options})
        yield from pieces
        self._keep(turn, pieces.read())

    def _keep(self, turn: dict[str, Any], answer: Answer) -> None:
        self.messages += [turn, {"role": "assistant", "content": answer.text}]


def _load(path: str, **options: Any) -> llama_cpp.Llama:
    try:
        return llama_cpp.Llama(path, **options)
    except (ValueError, RuntimeError) as error:
        raise NativeError(f"{path} was not loaded: {error}") from error


def user_message(text: str, image: Images = None) -> dict[str, Any]:
    """A user message with its pictures in front, as LLaVA was trained."""
    images = list(image) if isinstance(image, (list, tuple)) else [] if image is None else [image]
    parts: list[dict[str, Any]] = [{"type": "image", "image": source} for source in images]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}
