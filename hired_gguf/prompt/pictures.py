"""Pictures in messages, in the shapes in which clients of other servers send them; never passed over.

Read are the parts of OpenAI (both APIs), Anthropic, Hugging Face, LangChain and MCP, and Ollama's ``images``.
What only looks like a picture is refused by name: an answer without it would be made up.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from ..errors import PromptError, shown
from ..images.sources import LoadedImage

PART_TYPES = ("image_url", "image", "input_image")
_SOURCES = ("image", "image_url", "url", "path", "data", "base64", "bytes", "source")
_ELSEWHERE = ("file_id", "file", "fileId", "file_uri")  # on somebody's server
_GIVE = "give a path, a data: URL, bytes, an image or an array"
_DEEPEST = 8  # dicts in dicts; clients send two
_NAMES = {"image", "img", "picture", "photo", "attachment", "file", "video", "document", "screenshot"}
_MAGIC = re.compile(rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM|II\*\0|MM\0\*", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24}")


def part_source(part: Mapping[str, Any], where: str) -> Any:
    """The picture of a part of a message. Raises PromptError for none, for two, and for one elsewhere."""
    for _ in range(_DEEPEST):
        key = _source_key(part, where)
        value = part[key]
        if not isinstance(value, Mapping):
            return _encoded(value) if key in ("data", "base64") else plain_source(value)
        part, where = value, f"{where}.{key}"
    raise PromptError(f"{where} holds no image, but one dict in another; {_GIVE}")


def _source_key(part: Mapping[str, Any], where: str) -> str:
    found = [key for key in _SOURCES if not is_empty(part.get(key))]
    if len(found) > 1:
        raise PromptError(f"{where} holds {' and '.join(found)}: one picture a part")
    if found:
        return found[0]
    if named := next((key for key in _ELSEWHERE if not is_empty(part.get(key))), None):
        raise PromptError(f"{where}.{named} names a file on a server, which cannot be read; {_GIVE}")
    key = next(
        (key for key in _SOURCES if key in part),
        "image_url" if part.get("type") == "image_url" else "image",
    )
    raise PromptError(f"{where}.{key} holds no image; {_GIVE}")


def message_sources(message: Mapping[str, Any], where: str) -> list[tuple[Any, str]]:
    """The pictures of a message's ``images`` (Ollama's clients send a list) or ``image``, and their places.

    Raises PromptError for another key that holds something that a picture may be.
    """
    found: list[tuple[Any, str]] = []
    for key, value in message.items():
        if key in ("role", "content") or is_empty(value):
            continue
        if key in ("images", "image"):
            many = isinstance(value, (list, tuple))
            items = value if many else [value]
            found += [(item, f"{where}.{key}" + f"[{i}]" * many) for i, item in enumerate(items)]
        else:
            refuse_picture(key, value, f"{where}.{key}")
    return [(_item_source(item, place), place) for item, place in found]


def refuse_picture(key: str, value: Any, where: str) -> None:
    """Raise PromptError for a key or value that a picture may be meant by, where none is read."""
    if is_empty(value) or isinstance(value, (bool, int, float)):
        return
    words = {word.lower() for word in re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", str(key))}
    if words & _NAMES or {word[:-1] for word in words if word[-1] == "s"} & _NAMES or _is_picture(value):
        raise PromptError(
            f"{where} is not read, and may hold a picture: give pictures as parts of content, "
            "{'type': 'image', 'image': ...}, or as the list 'images' of a user message"
        )


def plain_source(value: Any) -> Any:
    """A source as it is; bare base64 of a picture, as Ollama's clients send it, as a data: URL."""
    return _encoded(value) if isinstance(value, str) and _is_base64_picture(value) else value


def is_empty(value: Any) -> bool:
    """Whether nothing was given: None, or an empty string or list."""
    return value is None or (isinstance(value, (str, bytes, list, tuple, dict)) and not value)


def _item_source(item: Any, where: str) -> Any:
    if isinstance(item, Mapping):
        return part_source(item, where)
    if is_empty(item) or isinstance(item, (bool, int, float)):
        raise PromptError(f"{where} is {shown(item)} and holds no image; {_GIVE}")
    return plain_source(item)


def _encoded(value: Any) -> Any:
    if not isinstance(value, str) or value[:5].lower() == "data:":
        return value
    return "data:;base64," + value


def _is_base64_picture(text: str) -> bool:
    start = "".join(text[:64].split())[:24]
    if not _BASE64.fullmatch(start):
        return False
    return _MAGIC.match(base64.urlsafe_b64decode(start.replace("+", "-").replace("/", "_"))) is not None


def _is_picture(value: Any) -> bool:
    """Whether it is, or holds at any depth, what a picture may be given as."""
    waiting, seen = [value], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple, Mapping)):
            if id(item) not in seen:  # else a list that holds itself has no end
                seen.add(id(item))
                waiting.extend(item.values() if isinstance(item, Mapping) else item)
        elif isinstance(item, str):
            if item[:11].lower() == "data:image/" or _is_base64_picture(item):
                return True
        elif isinstance(item, (bytes, np.ndarray, Image.Image, LoadedImage)):
            return True
    return False
