"""Whose process this is, and when it ends: native threads live on in no fork, and in no end of Python.

libgomp, in which ggml computes, keeps its threads from one call to the next. A forked child inherits the
belief that they are there, and waits for them for ever; a GPU's driver fails in a child, or ends it. And
where Python ends around a daemon thread, native code that comes back to it aborts the process. So every entry
to native work takes a `NativeLock`.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import llama_cpp

from ..errors import ForkError
from .cpu import on_gpu
from .load import core

REMEDY = (
    'start workers by spawn, multiprocessing.get_context("spawn"), and load the model in each; '
    "or fork before the first question, and ask in the children alone"
)

_threads_of: int | None = None  # the process that may have native threads
_forked_at = 0  # microseconds on llama.cpp's clock; 0 where this process was not forked since the import
_inside: Counter[int] = Counter()  # how many locks each thread in native work has; each writes its own
_in_callback: set[int] = set()  # those of them that have called the caller back
_ending = False


class NativeLock:
    """A lock for native work: one thread has it, and may take it again. Taking it raises ForkError.

    Once Python ends, daemon threads wait here for the end of the process.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        require_same_process()
        self._lock.acquire()
        me = threading.get_ident()
        _inside[me] += 1  # before the look at the end, so that the end waits for whoever did not see it
        if _inside[me] == 1 and _is_over():
            self.__exit__(None, None, None)
            _wait_for_the_end()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        me = threading.get_ident()
        _inside[me] -= 1
        if not _inside[me]:
            del _inside[me]
        self._lock.release()


# Forks


def require_same_process() -> None:
    """Raise ForkError in a process that was forked from one with native threads."""
    if in_stale_fork():
        raise ForkError(
            f"process {os.getpid()} was forked from one ({_threads_of}) that had used a model, and "
            f"native threads are not there any more in a fork: {REMEDY}"
        )


def in_stale_fork() -> bool:
    """Whether this process was forked from one with native threads, so that nothing native may be called."""
    return _threads_of is not None and _threads_of != os.getpid()


def note_threads(count: int) -> None:
    """Remember that native work on so many threads begins here. The first is the caller's own."""
    if count > 1:
        _note(os.getpid())


def note_gpu(used: bool) -> None:
    """Remember that a GPU is used, from loading on: no process that is forked later may."""
    note_threads(2 if used else 1)


def note_threads_of(llama: llama_cpp.Llama) -> None:
    """Remember the threads of what this Llama is about to evaluate.

    Raises ForkError if somebody used it, without our knowledge, before this process was forked.
    """
    gpu = on_gpu(llama.model_params.n_gpu_layers)
    count = 2 if gpu else max(llama.n_threads, llama.n_threads_batch)
    if _forked_at and _threads_of is None and count > 1 and _used_before_the_fork(llama):
        _note(os.getppid())
        require_same_process()
    note_threads(count)


def usable_cores() -> int:
    """How many threads an encoder has that was told no number, at the most."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _used_before_the_fork(llama: llama_cpp.Llama) -> bool:
    """Whether its context was made before and holds something."""
    made_at = llama_cpp.llama_perf_context(llama.ctx).t_start_ms * 1000
    return llama.n_tokens > 0 and bool(made_at < _forked_at)


def _note(process: int) -> None:
    global _threads_of  # noqa: PLW0603  of one process there is one
    if _threads_of is None:
        _threads_of = process


def _after_fork() -> None:
    """In the child: what another thread was about will never end, nor give its locks back."""
    global _forked_at  # noqa: PLW0603
    _forked_at = llama_cpp.llama_time_us()
    others = [thread for thread in _inside if thread != threading.get_ident()]
    for thread in others:
        del _inside[thread]
    if others:
        _note(os.getppid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

# The end


@contextmanager
def calling_back() -> Iterator[None]:
    """While a callback of the caller runs, which may last for ever, the end of Python does not wait."""
    me = threading.get_ident()
    nested = me in _in_callback
    _in_callback.add(me)
    try:
        yield
    finally:
        if not nested:
            _in_callback.discard(me)
            if _is_over():
                _in_callback.add(me)
                _wait_for_the_end()


def end_thread_with_python() -> None:
    """End a daemon thread, in the middle of an answer, once Python ends."""
    if _is_over():
        raise SystemExit


def _is_over() -> bool:
    """Whether this is a daemon thread in a Python that ends."""
    return _ending and threading.current_thread() is not threading.main_thread()


def _wait_for_the_end() -> None:
    threading.Event().wait()


@atexit.register
def _end() -> None:
    """Let daemon threads come out of native code, and no more in."""
    global _ending  # noqa: PLW0603
    _ending = True
    while set(_inside) - _in_callback - {threading.get_ident()}:
        time.sleep(0.01)
    if threading.active_count() > 1:
        core.hide_leaks()  # what those threads hold is not given back
