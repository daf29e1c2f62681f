"""The pictures of tasks: which tasks share one, and what is in it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError, shown
from ..images.load import MAX_PIXELS, load_image
from ..images.sources import LoadedImage, describe, read_image
from .task import Task


def group_by_image(tasks: Sequence[Task]) -> Iterator[list[int]]:
    """The indexes of tasks that name the same image, in order of first appearance.

    Within a group, equal budgets stand together, so that the image is also prefilled once a budget.
    """
    groups: dict[str, dict[Any, list[int]]] = {}
    for index, task in enumerate(tasks):
        group = groups.setdefault(_name(task), {})
        group.setdefault(shown(task.budget), []).append(index)
    for budgets in groups.values():
        yield [index for indexes in budgets.values() for index in indexes]


def _name(task: Task) -> str:
    """Equal for tasks with the same image, without reading a file."""
    image = task.image
    if isinstance(image, (str, os.PathLike)):
        return f"path {os.fsdecode(image)}"
    if isinstance(image, (bytes, Image.Image, np.ndarray)):
        return digest(image)
    return f"none {shown(image, 1000)}"


def digest(content: bytes | Image.Image | np.ndarray[Any, Any]) -> str:
    """SHA-256 of an encoded image, or of pixels with their format."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    if isinstance(content, Image.Image):
        facts: Any = (content.mode, content.size)
        data = content.tobytes()
    else:
        facts, data = (content.dtype.str, content.shape), content.tobytes()
    return hashlib.sha256(repr(facts).encode() + data).hexdigest()


class Picture:
    """The image of a group, read and decoded at most once each. Both may raise ImageError, every time.

    ``source`` may also be the error that reading it gave. ``name`` is for messages, ``max_pixels`` that of
    `load_image`.
    """

    def __init__(
        self, source: Any, allow_http: bool, max_pixels: int = MAX_PIXELS, *, name: str | None = None
    ) -> None:
        self._source, self._name = source, name or describe(source)
        self._allow_http, self._max_pixels = allow_http, max_pixels
        self._content: Any = None
        self._decoded: LoadedImage | ImageError | None = None

    def digest(self) -> str:
        """A digest of the image's content; the image's name where it cannot be read."""
        try:
            content = self._read()
        except ImageError:
            content = None
        readable = isinstance(content, (bytes, Image.Image, np.ndarray))
        return digest(content) if readable else f"unreadable {self._name}"

    def load(self) -> LoadedImage:
        """The decoded image."""
        if self._decoded is None:
            try:
                image = load_image(self._read(), max_pixels=self._max_pixels, name=self._name)
                self._decoded = LoadedImage(image)
            except ImageError as error:
                self._decoded = error
        if isinstance(self._decoded, ImageError):
            raise self._decoded
        return self._decoded

    def as_sent(self) -> Picture:
        """The picture as another process can have it: read already, so that it sees what was read here."""
        try:
            content = self._read()
            if isinstance(content, Image.Image):
                content = self.load()  # pickling a PIL image loses which way is up
        except ImageError as error:
            content = error
        return Picture(content, self._allow_http, self._max_pixels, name=self._name)

    def _read(self) -> Any:
        if self._content is None:
            try:
                self._content = read_image(self._source, allow_http=self._allow_http)
            except ImageError as error:
                self._content = error
        if isinstance(self._content, ImageError):
            raise self._content
        return self._content
