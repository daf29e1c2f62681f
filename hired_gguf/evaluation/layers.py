"""Pairs of vision layers: the one whose CLS attention allots the budget, and the one whose picks the tokens.

A layer is the 0-based number of an executed one, negative from the end, as `VisionEncoder.encode` takes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import InputError

Layers = tuple[int, int]
FIRST_AND_LAST: Layers = (0, -1)  # HiRED's own


def as_layers(value: Any) -> Layers:
    """The pair as a tuple. Raises InputError for anything but two whole numbers."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else ()
    if len(numbers) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise InputError(
            f"layers is {value!r}; allowed: two whole numbers, the layer that allots and the one that picks"
        )
    return numbers


def name_of(layers: Layers) -> str:
    """The pair as the command line writes it."""
    return "{}:{}".format(*layers)


def exists(layers: Layers, executed: int) -> bool:
    """Whether a model with so many executed layers has both."""
    return all(-executed <= layer < executed for layer in layers)


def require_layers(pairs: Iterable[Layers], executed: int) -> None:
    """Raise InputError for a layer that a model with so many executed ones does not have."""
    for pair in pairs:
        for layer in pair:
            if not exists((layer, layer), executed):
                raise InputError(
                    f"{name_of(pair)} asks for layer {layer}, and the number of layers that the model "
                    f"executes is {executed}; allowed: {-executed} to {executed - 1}"
                )


def distinct(pairs: Iterable[Layers], executed: int) -> list[Layers]:
    """The pairs, without those that only number the layers of another pair differently."""
    found: dict[tuple[int, ...], Layers] = {}
    for pair in pairs:
        found.setdefault(tuple(layer % executed for layer in pair), pair)
    return list(found.values())
