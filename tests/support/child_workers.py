"""What child processes of tests do: work, and everything that ends a process. Children import this file."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
import warnings
from contextlib import contextmanager

from hired_gguf import LlavaNext, ModelFormatError

TARGET = "child_workers:Worker"


class Worker:
    """For tests of `Child`."""

    def __init__(self, note):
        self._note = note

    def echo(self, value):
        return value

    def count(self, to):
        for number in range(to):
            self._note("counting", number)
        return to

    def say(self, text):
        print(text)
        print(text, file=sys.stderr, flush=True)

    def warn(self, text):
        logging.getLogger("hired_gguf").warning("%s", text)
        warnings.warn(text, stacklevel=1)

    def refuse(self, kind):
        raise {"ours": ModelFormatError("bad file"), "system": FileNotFoundError(2, "No such file", "a")}.get(
            kind, KeyError("x")
        )

    def lambda_(self):
        return lambda: None

    def die(self, name):
        os.kill(os.getpid(), getattr(signal, name))

    def leave(self, code):
        os._exit(code)

    def starve(self, size):
        return len(bytearray(size))

    def sleep(self, seconds):
        time.sleep(seconds)

    def sleep_with_lock(self, seconds):
        """As native code does that does not give Python's lock back."""
        ctypes.PyDLL(None).sleep(seconds)

    def is_ignored(self, name):
        return signal.getsignal(getattr(signal, name)) == signal.SIG_IGN

    def read_standard_input(self):
        return sys.stdin.read()


class Rogue(LlavaNext):
    """A model that some questions end, as a bug in native code would."""

    def ask(self, image, question, **options):
        word, _, rest = question.partition(" ")
        if word.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, word))
        elif word == "hang":
            time.sleep(float(rest))
        elif word == "starve":
            bytearray(1 << 44)
        elif word == "abort":
            print("terminate called after throwing an instance of 'std::bad_alloc'", file=sys.stderr)
            os.abort()
        elif word == "once" and not os.path.exists(rest):
            open(rest, "w").close()
            os._exit(3)
        return super().ask(image, question, **options)


@contextmanager
def never_loads(path, **options):
    """Dies while it loads, but the first ``path`` times."""
    if path and not os.path.exists(path):
        open(path, "w").close()
        with LlavaNext(**options) as llm:
            yield llm
    os.kill(os.getpid(), signal.SIGKILL)
