"""How much a chat template may use up: steps, characters, seconds, and the size of what one step makes."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator
from typing import Any

MAX_STEPS = 2_000_000  # rounds of loops, calls and filters
MAX_CHARACTERS = 16 << 20  # of the text, and of one value
MAX_MADE = 512 << 20  # characters and items of all values together: a template could keep them
MAX_SECONDS = 10.0
MAX_BITS = 4096  # of a whole number

# Calls and filters whose result can be as large as the product of their operands.
_PADDING = ("indent", "ljust", "rjust", "center", "zfill", "expandtabs", "wordwrap", "batch", "slice")
GROWING = frozenset(("replace", "join", "round", *_PADDING))

# A field of six digits or more, or as wide as an argument says.
_WIDE_PERCENT = re.compile(r"%[^a-zA-Z%]*(\*|[0-9]{6})")
_WIDE_BRACES = re.compile(r"\{[^}]*([0-9]{6}|\{)")


class TooMuch(Exception):  # noqa: N818  it is a bound, and not an error of ours
    """A template used up what it is given."""


class Bounds:
    """What one rendering has used up so far."""

    def __init__(self) -> None:
        self._steps = self._characters = self._made = 0
        self._end = time.monotonic() + MAX_SECONDS

    def step(self) -> None:
        """Count one step."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooMuch(f"it runs for more than {MAX_STEPS} steps")
        if self._steps % 256 == 0 and time.monotonic() > self._end:
            raise TooMuch(f"it runs for more than {MAX_SECONDS:g} seconds")

    def rounds(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items, each a step."""
        for item in items:
            self.step()
            yield item

    def written(self, value: Any) -> Any:
        """Count the characters of a value that is put out or joined to another."""
        self.step()
        self._characters += len(value) if isinstance(value, str) else 16
        if self._characters > MAX_CHARACTERS:
            raise TooMuch(f"it writes more than {MAX_CHARACTERS} characters")
        return value

    def made(self, value: Any) -> Any:
        """Count what a call or an operator made."""
        if isinstance(value, (str, list, tuple)):
            self._made += len(value)
            if self._made > MAX_MADE:
                raise TooMuch(f"it makes values of more than {MAX_MADE} characters")
        return value


def check_call(name: str, operands: tuple[Any, ...]) -> None:
    """Raise TooMuch for a call or a filter that would make a value that is too large."""
    if name in ("format", "format_map") and any(map(_wide, operands)):
        raise TooMuch("its format is too wide")
    if name not in GROWING:
        return
    sizes = [len(value) for value in operands if isinstance(value, (str, list, tuple, range))]
    sizes += [abs(value) for value in operands if isinstance(value, int)]
    if math.prod(size or 1 for size in sizes) > MAX_CHARACTERS:
        raise TooMuch(f"its {name!r} makes a value that is too large")


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Raise TooMuch for a ``+``, ``*``, ``**`` or ``%`` that would make a value that is too large."""
    if _size_of(operator, left, right) > MAX_CHARACTERS:
        raise TooMuch(f"its {operator!r} makes a value that is too large")


def _wide(form: Any) -> bool:
    if not isinstance(form, str):
        return False
    braces = form.replace("{{", "").replace("}}", "")
    return _WIDE_PERCENT.search(form) is not None or _WIDE_BRACES.search(braces) is not None


def _size_of(operator: str, left: Any, right: Any) -> int:
    """At least the size of the result: characters, items, or bits over `MAX_BITS`'s share."""
    lengths = [len(value) for value in (left, right) if isinstance(value, (str, list, tuple))]
    if operator == "+":
        return sum(lengths)
    if operator == "%":
        return MAX_CHARACTERS + 1 if isinstance(left, str) and _WIDE_PERCENT.search(left) else 0
    numbers = [value for value in (left, right) if isinstance(value, int)]
    if operator == "*" and lengths and numbers:
        return lengths[0] * numbers[0]
    if len(numbers) < 2:
        return 0
    bits: int = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
    return bits * (MAX_CHARACTERS // MAX_BITS)
