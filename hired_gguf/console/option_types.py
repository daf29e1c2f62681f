"""Values of options: text from the command line in, a checked value out."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path

from ..errors import BudgetError, InputError, PromptError
from ..files import given_path
from ..native.load import core
from ..prompt.templates import named_template
from ..selection.budget import TokenBudget


def path_text(text: str) -> str:
    """A path as people and terminals write it; "-" and URLs stay."""
    try:
        return given_path(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def path(text: str) -> Path:
    """The same as a path."""
    return Path(path_text(text))


def existing_file(text: str) -> Path:
    """A file that is there."""
    file = path(text)
    if not file.is_file():
        raise argparse.ArgumentTypeError(f"{'not a' if file.exists() else 'no such'} file: {text!r}")
    return file


def template(text: str) -> str:
    """A built-in chat template's name, or the path of a file with one."""
    try:
        named_template(text)
    except PromptError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def budget(text: str) -> int | float:
    """A count of visual tokens, or a fraction of them if written with a point."""
    try:
        return TokenBudget(int(text) if text.lstrip("+-").isdecimal() else float(text)).budget
    except (ValueError, BudgetError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a fraction above 0 and up to 1.0, nor a number of tokens from 1"
        ) from None


def budgets(text: str) -> list[int | float]:
    """Budgets with commas between them, each once."""
    return list(dict.fromkeys(budget(part.strip()) for part in text.split(",")))


def new_file(text: str) -> Path:
    """A file that can be written."""
    file = path(text)
    if file.is_dir() or not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise argparse.ArgumentTypeError(
            f"the file {text!r} cannot be written: its folder is missing or read-only"
        )
    return file


def json_target(text: str) -> Path | str:
    """A file that can be written, or "-"."""
    return text if text == "-" else new_file(text)


def number(kind: type[int] | type[float], low: float, high: float = math.inf) -> Callable[[str], int | float]:
    """A finite number from ``low`` to ``high``."""
    allowed = f"from {low} to {high}" if high < math.inf else f"of at least {low}"

    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not (low <= value <= high and math.isfinite(value)):
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} {allowed}")
        return value

    return parse


def yes_or_no(text: str) -> bool:
    """What a variable says for an option that takes no value."""
    for answer, words in ((True, ("1", "true", "yes", "on")), (False, ("0", "false", "no", "off"))):
        if text.lower() in words:
            return answer
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def device(text: str) -> str:
    """ "auto", "cpu", "gpu" or the name of a GPU that is there."""
    if text.lower() in ("auto", "cpu"):
        return text
    gpus = [device.name for device in core.list_devices() if device.gpu]
    if gpus and text.lower() in ("gpu", *map(str.lower, gpus)):
        return text
    there = (
        f"auto, cpu, gpu, {', '.join(gpus)}"
        if gpus
        else "auto, cpu; llama.cpp sees no GPU (see hired-gguf doctor)"
    )
    raise argparse.ArgumentTypeError(f"there is no device {text!r}; allowed: {there}")
