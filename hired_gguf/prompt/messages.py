"""Chat messages in OpenAI's form: made from a question and pictures, or checked and made into typed parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, PromptError, shown
from ..images.sources import ImageSource
from .pictures import PART_TYPES, message_sources, part_source, refuse_picture

Images = ImageSource | Sequence[ImageSource] | None
Messages = Sequence[Mapping[str, Any]]

#: Where the question goes in a text around every question.
QUESTION_PLACEHOLDER = "{question}"
READ = ("role", "content", "images", "image")
TEXT_TYPES = ("text", "input_text", "output_text")
ROLES = ("system", "user", "assistant", "tool", "function")


@dataclass(frozen=True)
class TextPart:
    """Text of a message: never read as template syntax, special tokens or image markers."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """An image as the caller gave it, and where it stood, for error messages."""

    source: Any
    where: str


Part = TextPart | ImagePart


@dataclass(frozen=True)
class Turn:
    """One message: its role, its parts in order, and what else it held (``tool_calls``, ``name``)."""

    role: str
    parts: tuple[Part, ...]
    extra: dict[str, Any] = field(default_factory=dict)


def user_message(text: str, image: Images = None) -> dict[str, Any]:
    """A user message with its pictures in front, as LLaVA was trained."""
    images = list(image) if isinstance(image, (list, tuple)) else [] if image is None else [image]
    parts: list[dict[str, Any]] = [{"type": "image", "image": source} for source in images]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


def check_question_template(template: str) -> None:
    """Raise InputError unless a text around every question says where the question goes."""
    if not isinstance(template, str) or QUESTION_PLACEHOLDER not in template:
        raise InputError(f"template is {shown(template)}; it must hold {QUESTION_PLACEHOLDER}")


def parse_messages(messages: Messages) -> list[Turn]:
    """Check a message list and type its parts. Raises PromptError naming ``messages[i].content[j]``."""
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Sequence):
        raise PromptError(f"messages is a {type(messages).__name__}; it must be a list of messages")
    if not messages:
        raise PromptError("messages is empty; at least one message is needed")
    return [_turn(message, f"messages[{i}]") for i, message in enumerate(messages)]


def _turn(message: Mapping[str, Any], where: str) -> Turn:
    if not isinstance(message, Mapping):
        raise PromptError(f"{where} is a {type(message).__name__}; it must be a dict with role and content")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:  # an array is compared item by item
        raise PromptError(f"{where}.role is {shown(role)}; allowed: {', '.join(ROLES)}")
    images = _images(message, role, where)
    extra = {key: value for key, value in message.items() if key not in READ}
    content = message.get("content")
    if images and (content is None or (isinstance(content, str) and not content)):
        return Turn(role, images, extra)
    return Turn(role, (*images, *_parts(content, role, extra, f"{where}.content")), extra)


def _images(message: Mapping[str, Any], role: str, where: str) -> tuple[Part, ...]:
    """What stands beside the content, to be shown in front of it, as Ollama does."""
    found = message_sources(message, where)
    if found and role != "user":
        raise PromptError(f"{found[0][1]} is an image in a {role} message; images belong in user messages")
    return tuple(ImagePart(source, place) for source, place in found)


def _parts(content: Any, role: str, extra: Mapping[str, Any], where: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (_text(content, where),)
    if content is None and role == "assistant" and _has_calls(extra):
        return ()
    if not isinstance(content, Sequence) or isinstance(content, (bytes, bytearray)):
        raise PromptError(f"{where} is a {type(content).__name__}; it must be a string or a list of parts")
    return tuple(_part(item, role, f"{where}[{j}]") for j, item in enumerate(content))


def _has_calls(extra: Mapping[str, Any]) -> bool:
    calls = (extra.get(key) for key in ("tool_calls", "function_call"))
    return any(isinstance(call, (list, tuple, Mapping)) and len(call) > 0 for call in calls)


def _part(item: Any, role: str, where: str) -> Part:
    if isinstance(item, str):
        return _text(item, where)
    if not isinstance(item, Mapping):
        raise PromptError(f"{where} is a {type(item).__name__}; it must be a dict with a type")
    kind = item.get("type")
    if kind is None:
        kind = next((name for name in ("text", "image", "image_url") if name in item), None)
    named = kind if isinstance(kind, str) else None
    if named in TEXT_TYPES:
        for key in item:
            if key not in ("type", "text"):
                refuse_picture(key, item[key], f"{where}.{key}")
        return _text(item.get("text"), f"{where}.text")
    if named not in PART_TYPES:
        allowed = ", ".join(map(repr, ("text", *PART_TYPES)))
        raise PromptError(f"{where}.type is {shown(kind)}; allowed: {allowed}")
    if role != "user":
        raise PromptError(f"{where} is an image in a {role} message; images belong in user messages")
    return ImagePart(part_source(item, where), where)


def _text(text: Any, where: str) -> TextPart:
    if not isinstance(text, str):
        raise PromptError(f"{where} is a {type(text).__name__}; it must be a string")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PromptError(f"{where} holds a lone surrogate at character {error.start}") from None
    return TextPart(text)
