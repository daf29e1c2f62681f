"""Where llama.cpp's log goes while a command runs: nowhere, or to stderr with ``-v``."""

from __future__ import annotations

import ctypes
import sys
from types import TracebackType

import llama_cpp

from ..errors import NativeError
from .llama import restore_log

# Of ggml_log_level. llama-cpp-python 0.3.36 numbers them one lower, so shows warnings and hides errors.
ERROR = 4


class NativeLog:
    """Takes llama.cpp's log over, and gives it back to llama-cpp-python in the end."""

    def __init__(self) -> None:
        self.verbose = False
        self.first_error = ""

    def hear(self, level: int, text: bytes, user_data: object) -> None:
        """Take a piece of the log, as ``ggml_log_callback``."""
        if level == ERROR and not self.first_error:  # later ones only say that what called it failed too
            self.first_error = text.decode(errors="replace").strip()
        if self.verbose and sys.stderr is not None:
            print(text.decode(errors="replace"), end="", file=sys.stderr, flush=True)

    def describe(self, error: Exception, planned: bool) -> str:
        """The text of an error; the type if nobody planned it, llama.cpp's complaint if it is to blame."""
        text = str(error) if planned else f"{type(error).__name__}: {error}"
        to_blame = self.first_error and (not planned or isinstance(error, NativeError))
        return f"{text}; llama.cpp says: {self.first_error}" if to_blame else text

    def __enter__(self) -> NativeLog:
        self._callback = llama_cpp.llama_log_callback(self.hear)  # kept: ctypes does not
        llama_cpp.llama_log_set(self._callback, ctypes.c_void_p(0))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        restore_log()
