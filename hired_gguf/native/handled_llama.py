"""A Llama whose file's chat templates llama-cpp-python leaves alone."""

from __future__ import annotations

from typing import Any

import llama_cpp

from ..errors import NativeError

PREFIX = "tokenizer.chat_template"


class HandledLlama(llama_cpp.Llama):  # type: ignore[misc]  # llama_cpp has no types for mypy
    """A Llama that is given its chat handler, so that the file's own chat templates need not be compiled.

    llama-cpp-python compiles them all while it loads: one with a syntax error would stop a model whose
    prompts another template makes, and one with ``9**9**9`` would never end. Afterwards ``metadata`` holds
    them, as ever.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._all: dict[str, str] = {}
        super().__init__(*args, **options)
        super().__setattr__("metadata", self._all)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "metadata":
            super().__setattr__("_all", value)
            value = {key: text for key, text in value.items() if not key.startswith(PREFIX)}
        super().__setattr__(name, value)


def load_llama(path: str, **options: Any) -> HandledLlama:
    """Load a language model. Raises NativeError, which names the file."""
    try:
        return HandledLlama(path, **options)
    except (ValueError, RuntimeError) as error:
        raise NativeError(f"{path} was not loaded: {error}") from error
