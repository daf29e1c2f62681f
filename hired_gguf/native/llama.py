"""Every private name of llama-cpp-python that we rely on, and every write to its record of a context.

No other file knows one, but for bench/engine_stock.py, which times the stock engine from inside (a hook of
.pre-commit-config.yaml looks). tests/native/test_llama.py looks each up on the pinned version.

Functions that need the native model or context raise ClosedError if the Llama was closed: its calls would
read freed memory.
"""

from __future__ import annotations

import ctypes
import random
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt
from llama_cpp import llama_chat_format

from ..errors import ClosedError, PromptError

# The context


def address(llama: llama_cpp.Llama) -> int:
    """The llama_context, which our own native code shares with llama-cpp-python."""
    return int(_context(llama).ctx)


def require_open(llama: llama_cpp.Llama) -> None:
    """Raise ClosedError if the Llama was closed."""
    _context(llama)


def room(llama: llama_cpp.Llama) -> int:
    """Positions that can be used. llama.cpp pads n_ctx upwards, llama-cpp-python's own arrays do not."""
    return min(int(llama.n_ctx()), len(llama.input_ids))


def clear(llama: llama_cpp.Llama) -> None:
    """Empty the context: `Llama.reset` empties the record alone."""
    context = _context(llama)
    llama.reset()
    context.kv_cache_clear()


def synchronize(llama: llama_cpp.Llama) -> None:
    """Wait until what was evaluated is there: llama.cpp may return earlier."""
    llama_cpp.llama_synchronize(address(llama))


def removable(llama: llama_cpp.Llama) -> bool:
    """Whether the end of the context can be cut off and the rest be used.

    A recurrent state cannot be cut, and a sliding window may have dropped what the rest needs.
    """
    recurrent = llama._is_recurrent or llama._is_hybrid
    return not recurrent and bool(llama_cpp.llama_memory_seq_pos_min(_memory(llama), 0) == 0)


def cut(llama: llama_cpp.Llama, keep: int) -> bool:
    """Keep the first positions only. False, with nothing changed, where llama.cpp cannot."""
    if not _context(llama).kv_cache_seq_rm(-1, keep, -1):
        return False
    llama.n_tokens = keep
    llama._requires_eval = True  # the logits at hand are another token's
    return True


def _context(llama: llama_cpp.Llama) -> Any:
    """The object that owns the llama_context, and lets go of it when closed."""
    if llama._ctx.ctx is None:
        raise ClosedError("this Llama is closed")
    return llama._ctx


def _memory(llama: llama_cpp.Llama) -> Any:
    return llama_cpp.llama_get_memory(address(llama))


# The record of the context


def took_rows(llama: llama_cpp.Llama, ids: Sequence[int], *, logits: bool) -> None:
    """Enter rows that our own code evaluated at the context's end, each with its id.

    ``logits`` says that those of the last row are at hand.
    """
    end = llama.n_tokens + len(ids)
    llama.input_ids[llama.n_tokens : end] = ids
    if keeps_logits(llama):
        llama.scores[llama.n_tokens : end] = 0  # uninitialised otherwise, and logarithms are taken of them
    llama.n_tokens = end
    llama._requires_eval = not logits


def mark(llama: llama_cpp.Llama, spans: Iterable[tuple[int, int]], token: int) -> None:
    """Write ``token`` for the ids of the positions [start, end) of each span."""
    for start, end in spans:
        llama.input_ids[start:end] = token


def keeps_logits(llama: llama_cpp.Llama) -> bool:
    """Whether the scores of every position are kept: ``logits_all``, or a draft model."""
    return bool(llama._logits_all)


def _nothing() -> None:
    return None


@dataclass(frozen=True, eq=False)
class Trace:
    """How a context looks: whoever evaluates, samples, cuts or loads leaves another trace.

    ``ids`` are the tokens of llama-cpp-python's record. ``array`` gives the array that holds them and
    ``sampler`` the latest generation's, each None if there is none or it is gone. ``evaluated`` are
    llama.cpp's counts of tokens evaluated by several and one by one, whoever asked for it, ``last_position``
    the last of sequence 0 in llama.cpp's own memory, -1 if there is none.
    """

    ids: npt.NDArray[np.intc] = field(default_factory=lambda: np.empty(0, np.intc))
    array: Callable[[], Any] = _nothing
    sampler: Callable[[], Any] = _nothing
    evaluated: tuple[int, int] = (0, 0)
    last_position: int = -1


def trace(llama: llama_cpp.Llama) -> Trace:
    """How the context looks now. Keeps neither array nor sampler alive."""
    synchronize(llama)  # the counts lag behind otherwise
    counts = llama_cpp.llama_perf_context(address(llama))
    return Trace(
        ids=llama.input_ids[: llama.n_tokens].copy(),
        array=weakref.ref(llama.input_ids),
        sampler=_nothing if llama._sampler is None else weakref.ref(llama._sampler),
        evaluated=(counts.n_p_eval, counts.n_eval),
        last_position=int(llama_cpp.llama_memory_seq_pos_max(_memory(llama), 0)),
    )


# The vocabulary


def adds_bos(llama: llama_cpp.Llama) -> bool:
    """Whether the model wants a BOS token in front of a prompt."""
    return bool(_model(llama).add_bos_token())


def _model(llama: llama_cpp.Llama) -> Any:
    require_open(llama)
    return llama._model


# Answers


def reseed(llama: llama_cpp.Llama, seed: int | None) -> None:
    """Seed the sampling of the next answer: None draws from the seed before it, as ``create_completion``."""
    llama.set_seed(random.Random(llama._seed).randint(0, 2**32 - 1) if seed is None else seed)


def log_probabilities(llama: llama_cpp.Llama, position: int) -> npt.NDArray[np.float64]:
    """Natural logarithms, of the token behind a position, for each of the vocabulary. See `keeps_logits`."""
    logits = llama.scores[position].astype(np.float64)
    with np.errstate(all="ignore"):  # logits may be infinite
        logits -= logits.max()
        return np.asarray(logits - np.log(np.exp(logits).sum()))


def require_grammar(llama: llama_cpp.Llama, grammar: llama_cpp.LlamaGrammar) -> None:
    """Raise PromptError for a grammar that llama.cpp does not take: sampling by it would end the process."""
    text, root = grammar._grammar.encode(), grammar._root.encode()
    sampler = llama_cpp.llama_sampler_init_grammar(_model(llama).vocab, text, root)
    if not sampler:
        raise PromptError(f"llama.cpp cannot parse the grammar (its root is {grammar._root!r})")
    llama_cpp.llama_sampler_free(sampler)


def as_chat(completion: Any, tool: str | None, stream: bool) -> Any:
    """A completion, or its chunks if ``stream``, as a chat's; with a tool's name, as a call of that tool."""
    if tool is None:
        return llama_chat_format._convert_completion_to_chat(completion, stream=stream)
    return llama_chat_format._convert_completion_to_chat_function(tool, completion, stream)


# The log


def restore_log() -> None:
    """Give llama.cpp's log back to llama-cpp-python, which sets its callback only when it is imported."""
    llama_cpp.llama_log_set(llama_cpp._logger.llama_log_callback, ctypes.c_void_p(0))
