"""What one rendering of a chat template may use up: steps, characters, seconds, and the size of each value.

A step is bounded itself: what goes into it and what comes out is weighed, and an operation whose result could
be the product of its operands is refused by them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sized
from typing import Any

from jinja2.utils import Namespace

MAX_STEPS = 2_000_000  # rounds of loops, calls, filters, tests, and values put together
MAX_CHARACTERS = 16 << 20  # of all texts that it makes
MAX_WEIGHT = 1 << 20  # of one value: characters, and items at all depths
MAX_SECONDS = 3.0  # of the processor; a conversation of 10,000 messages takes 0.2
MAX_BITS = 4096  # of a whole number
MAX_DIGITS = 400  # that a number is rounded to
MAX_WIDTH = 999  # of a field in a format
MAX_INDENT = 16  # of JSON

# A field of four digits or more, or as wide as an argument says: in "%5d" % 1, and in "{:5}".format(1).
PERCENT = re.compile(r"%[^a-zA-Z%]*(\*|[0-9]{4})")
BRACES = re.compile(r"\{[^}]*([0-9]{4}|\{)")


class TooMuch(Exception):  # noqa: N818  it is a bound, and not an error of ours
    """A template used up what it is given."""


class Bounds:
    """What one rendering has used up so far."""

    def __init__(self) -> None:
        self._steps = self._characters = 0
        self._end = time.thread_time() + MAX_SECONDS

    def step(self) -> None:
        """Count one step."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TooMuch(f"it runs for more than {MAX_STEPS} steps")
        if time.thread_time() > self._end:
            raise TooMuch(f"it runs for more than {MAX_SECONDS:g} seconds")

    def text(self, characters: int) -> None:
        """Count characters that take memory."""
        self._characters += characters
        if self._characters > MAX_CHARACTERS:
            raise TooMuch(f"it writes more than {MAX_CHARACTERS} characters")

    def written(self, value: Any) -> str:
        """The text of a value that is put out or joined to another, counted."""
        self.step()
        if weight(value) > MAX_WEIGHT:
            raise TooMuch(f"it writes a value of more than {MAX_WEIGHT} characters and items")
        text = value if isinstance(value, str) else str(value)
        self.text(len(text))
        return text

    def made(self, value: Any) -> Any:
        """Count a value that was put together."""
        self.step()
        self.text(len(value) if isinstance(value, Sized) and not isinstance(value, range) else 16)
        if weight(value) > MAX_WEIGHT:
            raise TooMuch(f"it makes a value of more than {MAX_WEIGHT} characters and items")
        if isinstance(value, int) and value.bit_length() > MAX_BITS:
            raise TooMuch("it makes a number that is too large")
        return value


def weight(value: Any) -> int:
    """Characters and items at all depths, one and the same item as often as it stands there.

    Stops counting above `MAX_WEIGHT`: a list that holds itself twice, and that 99 times, has no number.
    """
    total, waiting = 0, [value]
    while waiting and total <= MAX_WEIGHT:
        item = waiting.pop()
        total += 1
        if isinstance(item, (str, bytes, range)):
            total += len(item)
        elif isinstance(item, Namespace):
            waiting.append(object.__getattribute__(item, "__dict__"))
        elif isinstance(item, Mapping):
            total += len(item)
            waiting.extend(_some(item.keys(), item.values()))
        elif isinstance(item, (list, tuple, set, frozenset)):
            waiting.extend(_some(item))
    return total


def _some(*items: Any) -> Iterator[Any]:
    """So many as can matter: a list may be as long as the memory."""
    for group in items:
        for count, item in enumerate(group):
            if count > MAX_WEIGHT:
                break
            yield item


def check_call(name: str, subject: Any, operands: tuple[Any, ...]) -> None:
    """Raise TooMuch for a call or filter whose result could be too large."""
    if name == "round" and any(isinstance(n, int) and abs(n) > MAX_DIGITS for n in operands):
        raise TooMuch(f"its 'round' asks for more than {MAX_DIGITS} digits")
    if name == "sum" and any(isinstance(start, (str, bytes, list, tuple)) for start in operands):
        raise TooMuch("its 'sum' adds up what are no numbers")
    if name == "format":
        check_format(subject, PERCENT)
    if operands and weight(subject) * max(map(_factor, operands)) > MAX_WEIGHT:
        raise TooMuch(f"its {name!r} makes a value that is too large")


def _factor(operand: Any) -> int:
    """How many times as large as its subject a result can be made by an operand."""
    return abs(operand) if isinstance(operand, int) else weight(operand)


def check_format(form: Any, wide: re.Pattern[str]) -> None:
    """Raise TooMuch for a format with a wide field, or with a width from its arguments."""
    if not isinstance(form, str):
        return
    plain = form.replace("{{", "").replace("}}", "") if wide is BRACES else form
    if wide.search(plain) or len(form) * MAX_WIDTH > MAX_CHARACTERS:
        raise TooMuch("its format is too wide")


def check_binop(operator: str, left: Any, right: Any) -> None:
    """Raise TooMuch for ``+``, ``*``, ``**`` or ``%`` with a result that is too large."""
    if operator == "%":
        check_format(left, PERCENT)
    elif _size(operator, left, right) > MAX_WEIGHT:
        raise TooMuch(f"its {operator!r} makes a value that is too large")


def _size(operator: str, left: Any, right: Any) -> int:
    """At least the weight of the result; of a number, its bits in the same measure."""
    whole = [isinstance(value, int) for value in (left, right)]
    if all(whole):
        bits = {"**": left.bit_length() * right, "*": left.bit_length() + right.bit_length()}
        return int(bits.get(operator, 0) * (MAX_WEIGHT // MAX_BITS))
    if operator == "+":
        return weight(left) + weight(right)
    if operator == "*" and any(whole):
        return weight(right) * int(left) if whole[0] else weight(left) * int(right)
    return 0
