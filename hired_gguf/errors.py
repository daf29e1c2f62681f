"""Every exception that a user of hired-gguf can cause, in one place; and how their texts show values.

Each also derives from the built-in exception that a caller would expect, so ``except ValueError`` works.
"""

from __future__ import annotations

import re


def short(text: str, most: int = 60) -> str:
    """A value's text for a message, cut if it is longer than ``most`` characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def without_addresses(text: str) -> str:
    """A text without the places in memory that Python puts into it; a message may go to anyone."""
    return re.sub(r"\s*\bat 0x[0-9a-fA-F]+", "", text)


def printable(text: object) -> str:
    """A text that any terminal and file takes: halves of characters are shown by their numbers."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def shown(value: object, most: int = 60) -> str:
    """A caller's value for a message, like ``repr``, but short, and for any value.

    ``repr`` itself raises for a whole number of more than 4300 digits, and where an object's own does.
    """
    try:
        return short(without_addresses(repr(value)), most)
    except MemoryError:
        raise
    except Exception:  # the object is somebody else's
        return f"<{type(value).__name__}>"


class HiredError(Exception):
    """Base of all errors raised on purpose by hired-gguf."""


class ModelFormatError(HiredError, ValueError):
    """A GGUF file is damaged, or a field or tensor in it is not what its architecture requires."""


class UnsupportedModelError(ModelFormatError):
    """A sound GGUF file, but of a kind that hired-gguf does not run (another projector, an audio encoder)."""


class ModelMismatchError(HiredError, ValueError):
    """Two sound files that do not belong together, such as a mmproj and a language model of unequal width."""


class ImageError(HiredError, ValueError):
    """An image that cannot be read, is damaged, or is larger than allowed."""


class BudgetError(HiredError, ValueError):
    """A token budget, alpha, allocation or newline rule outside what is allowed."""


class InputError(HiredError, ValueError):
    """An argument or array of the wrong size, shape or range."""


class PromptError(HiredError, ValueError):
    """A message list that the chat-completion format does not allow."""


class AnswerError(HiredError, ValueError):
    """An answer that is not what was asked for, such as JSON cut off by ``max_tokens``."""


class OutputError(HiredError, ValueError):
    """An output file that is in use, holds something else, or belongs to a run with other settings."""


class FileError(HiredError, OSError):
    """A file that the system could not read or write. The text says what to do; ``errno`` is the system's."""


class ContextOverflowError(HiredError, ValueError):
    """The prompt needs more positions than the context holds."""


class NumericError(HiredError, ArithmeticError):
    """NaN or infinity where finite numbers are required."""


class ClosedError(HiredError, RuntimeError):
    """A model was used after ``close()``."""


class StreamError(HiredError, RuntimeError):
    """A stream was read on after its model had been given another prompt."""


class ForkError(HiredError, RuntimeError):
    """Native work in a process that was forked from one that had done some: its threads are not here."""


class CrashError(HiredError, RuntimeError):
    """A task that ended its process twice, or took too long: records name it. Raised if loading does so."""


class NativeError(HiredError, RuntimeError):
    """A llama.cpp or ggml call failed; the text says which."""
