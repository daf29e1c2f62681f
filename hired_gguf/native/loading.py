"""A word in how llama-cpp-python loads a model: ``llama_cpp.Llama`` has no argument for every parameter."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp.llama_cpp as library

#: Gets the path of a model and its ``llama_model_params``, which it may change.
Hearer = Callable[[str, Any], None]


class _Loader:
    """Stands in place of llama-cpp-python's function that loads a model, and calls that."""

    def __init__(self, load: Callable[[bytes, Any], Any]) -> None:
        self.load = load
        self.hearers: list[Hearer] = []

    def __call__(self, path: bytes, params: Any) -> Any:
        for hear in tuple(self.hearers):
            hear(os.fsdecode(path), params)
        return self.load(path, params)


_lock = threading.Lock()
_loader: _Loader | None = None


@contextmanager
def before_loading(hear: Hearer) -> Iterator[None]:
    """While open, ``hear`` is called before each model is loaded, in the thread that loads it.

    In the end the function that loads is what it was, unless somebody else has put one of theirs over it
    meanwhile: that one stays, and loads as ever.
    """
    global _loader  # noqa: PLW0603  there is one function that loads
    with _lock:
        if _loader is None:
            _loader = _Loader(library.llama_model_load_from_file)
            library.llama_model_load_from_file = _loader
        loader = _loader
        loader.hearers.append(hear)
    try:
        yield
    finally:
        with _lock:
            loader.hearers.remove(hear)
            if not loader.hearers:
                _loader = None
                if library.llama_model_load_from_file is loader:
                    library.llama_model_load_from_file = loader.load
