"""A task: one question about one picture, each field checked."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from PIL import Image

from ..errors import HiredError, InputError, shown
from ..images.data_urls import is_data_url
from ..images.sources import describe
from ..model_files.gguf_fields import INT32_MAX
from ..selection.budget import TokenBudget
from .schema import load_schema

#: Numbers as ids are smaller; Python writes none of more than 4300 digits.
MOST_ID = 10**1000
#: What a task may hold; ``image`` and ``question`` it must.
FIELDS = ("image", "question", "id", "budget", "max_tokens", "schema")


@dataclass(frozen=True, eq=False)
class Task:
    """A question about a picture. Where ``budget``, ``max_tokens`` or ``schema`` is None, the run's holds.

    ``error`` is what is wrong with a task that cannot be asked; its fields then are as they were given.
    """

    id: str | int
    image: Any
    question: str
    budget: int | float | None = None
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    error: HiredError | None = None

    @property
    def image_label(self) -> str | None:
        """The image as its record names it: a path or URL as given, a description of anything else."""
        if isinstance(self.image, (str, os.PathLike)):
            text = os.fsdecode(self.image)
            return describe(text) if is_data_url(text) else text
        return None if self.image is None else describe(self.image)


Tasks = Iterable[Mapping[str, Any] | Task]


def make_tasks(items: Tasks) -> list[Task]:
    """Tasks from mappings, numbered from 1. Raises InputError for what is neither mapping nor task."""
    if isinstance(items, (str, bytes, Mapping)):
        raise InputError(f"tasks is a {type(items).__name__}; it must be a list of dicts")
    tasks = []
    for number, item in enumerate(items, 1):
        if not isinstance(item, (Mapping, Task)):
            raise InputError(
                f"tasks[{number - 1}] is a {type(item).__name__}; it must be a dict with image and question"
            )
        tasks.append(item if isinstance(item, Task) else make_task(item, number))
    return tasks


def make_task(fields: Mapping[str, Any], number: int) -> Task:
    """Check the fields of a task. ``number``, from 1, is the id of one that has none.

    None, NaN (as pandas marks what is missing) and "" in an optional field mean that it is not there. Other
    fields than FIELDS are not looked at.
    """
    given = {name: None if _missing(fields.get(name)) else fields[name] for name in FIELDS}
    for name in ("id", "budget", "max_tokens", "schema"):
        value = given[name]
        if isinstance(value, str) and not value.strip():
            given[name] = None
    error: HiredError | None = None
    checked: dict[str, Any] = {"id": number}
    for name, check in _CHECKS.items():
        try:
            checked[name] = check(given[name]) if given[name] is not None else _absent(name, number)
        except HiredError as wrong:
            error = error or wrong
            checked.setdefault(name, given[name])
    return Task(**checked, error=error)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _absent(name: str, number: int) -> Any:
    if name in ("image", "question"):
        raise InputError(f"{name} is missing")
    return number if name == "id" else None


def _id(value: Any) -> str | int:
    if isinstance(value, str):
        return str(value)
    if _is_whole(value) and abs(value) < MOST_ID:
        return int(value)
    raise InputError(f"id is {shown(value)}; allowed: a string or a whole number of at most 1000 digits")


def _image(value: Any) -> Any:
    allowed = (str, os.PathLike, bytes, Image.Image, np.ndarray)
    if isinstance(value, allowed) and not (isinstance(value, (str, bytes)) and not value):
        return value
    raise InputError(f"image is {shown(value)}; allowed: a path, a URL, bytes, a PIL image or a uint8 array")


def _question(value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"question is {shown(value)}; allowed: a string")
    if not value.strip():
        raise InputError("question is empty")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"question holds a lone surrogate at character {error.start}") from None
    return str(value)


def _budget(value: Any) -> int | float:
    return TokenBudget(value).budget


def _max_tokens(value: Any) -> int:
    if _is_whole(value) and 1 <= value <= INT32_MAX:
        return int(value)
    raise InputError(f"max_tokens is {shown(value)}; allowed: a whole number from 1 to {INT32_MAX}")


_CHECKS = {
    "id": _id,
    "image": _image,
    "question": _question,
    "budget": _budget,
    "max_tokens": _max_tokens,
    "schema": load_schema,
}


def _is_whole(value: Any) -> bool:
    """Also 32.0: pandas makes the integers of a column with gaps floats."""
    whole = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
    return whole and not isinstance(value, bool)


def identity(task: Task) -> str:
    """The fields that make it another task, as JSON: all but id and image."""
    fields = [task.question, task.budget, task.max_tokens, task.schema]
    if task.error is not None:
        fields = [shown(field, 1000) for field in fields]  # as they were given, so JSON may not hold them
    return json.dumps(fields, default=repr)
