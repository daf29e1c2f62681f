"""The bytes of an encoded image from a path, a ``file:``, ``data:`` or http URL: sources get bytes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import ImageError, InputError, printable, short
from ..files import given_path, open_regular
from .data_urls import is_data_url, read_data_url
from .fetch import fetch_url


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """What `load_image` made of a source: upright, RGB. As a source it is handed out as it is, uncopied."""

    image: Image.Image


ImageSource = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8] | LoadedImage

MAX_BYTES = 64 << 20


def describe(source: object) -> str:
    """A short name of an image source for messages, without passwords and query strings of URLs."""
    if isinstance(source, bytes):
        return f"<bytes, {len(source)} bytes>"
    if isinstance(source, np.ndarray):
        return f"<array {source.dtype} {list(source.shape)}>"
    if isinstance(source, LoadedImage):
        source = source.image
    if isinstance(source, Image.Image):
        return f"<PIL image {source.mode} {source.width} x {source.height}>"
    if not isinstance(source, (str, os.PathLike)):
        return f"<{type(source).__name__}>"
    text = os.fsdecode(source)
    if is_data_url(text):
        return f"data: URL of {len(text)} characters"
    if text[:4].lower() == "http":
        text = re.sub(r"//[^/]*@", "//", text.partition("?")[0])
    return short(repr(text), 210)


def read_image(source: Any, *, allow_http: bool = False, max_bytes: int = MAX_BYTES) -> Any:
    """The bytes that a path or URL holds; another source is returned as it is.

    Raises ImageError, which names the source.
    """
    if not isinstance(source, (str, os.PathLike)):
        return source
    name = describe(source)
    if isinstance(source, str) and source.strip()[:8].lower().startswith(("http://", "https://")):
        if not allow_http:
            raise ImageError(f"{name}: http is off; pass allow_http=True, or download the picture first")
        return fetch_url(source.strip(), max_bytes=max_bytes)
    try:
        return read_bytes(source, max_bytes)
    except ValueError as error:  # ImageError, and what a name that no file can have gives
        raise ImageError(f"{name}: {printable(error)}") from None


def read_bytes(source: object, max_bytes: int) -> bytes:
    """What a path (see `given_path`) or a ``file:`` or ``data:`` URL holds. Only a ``str`` can be a URL.

    Raises ImageError, without the source's name, for what is missing, not a regular file or too large.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise ImageError("expected a path, a URL, bytes, a PIL image or a uint8 array")
    if isinstance(source, str) and not os.path.lexists(source):
        if is_data_url(source):
            return read_data_url(source)
        scheme = re.match(r"\s*([a-z][a-z0-9+.-]*)://", source, re.IGNORECASE)
        if scheme and scheme[1].lower() != "file":
            raise ImageError("only file:, data:, http: and https: URLs are read")
    try:
        return _read_file(given_path(source), max_bytes)
    except InputError as error:
        raise ImageError(str(error)) from None


def _read_file(path: str, max_bytes: int) -> bytes:
    try:
        file = open_regular(path)
        if file is None:
            raise ImageError("is not a regular file")
        with file:
            size = os.fstat(file.fileno()).st_size
            if size > max_bytes:
                raise ImageError(f"has {size} bytes, allowed are {max_bytes}")
            return file.read(size)
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from None
