"""Typed turns through a chat template: literal template text and the callers' parts out.

The callers' words never pass through a template. Each part is rendered as a placeholder that cannot be
guessed, and the rendered text is split at the placeholders, so ``<image>`` or ``</s>`` in a question stays
words.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import PromptError, short, without_addresses
from .built_in import NAMES, ChatTemplate
from .environment import Refused, TemplateEnvironment
from .messages import ImagePart, Part, TextPart, Turn


def render(
    template: ChatTemplate,
    turns: Sequence[Turn],
    bos_token: str,
    eos_token: str,
    variables: Mapping[str, Any] | None = None,
) -> list[str | Part]:
    """The prompt as template text (str) and parts, in order, ready for the answer to follow.

    Raises PromptError with the template's own words if it rejects the messages, or if it leaves a part out.
    """
    values = {"tools": None, **(variables or {}), "bos_token": bos_token, "eos_token": eos_token}
    try:
        return _pieces(template, turns, values)
    except Refused as refusal:
        raise PromptError(_refusal(template, turns, values, str(refusal))) from None


def _pieces(template: ChatTemplate, turns: Sequence[Turn], values: Mapping[str, Any]) -> list[str | Part]:
    nonce = secrets.token_hex(8)
    parts = [part for turn in turns for part in turn.parts]
    marker = re.compile(f"\ue000{nonce}-(\\d+)([aj]*)\ue001")
    for as_list in (False, True):  # templates made for processors want a list of typed parts
        text = _run(template, _messages(turns, nonce, as_list), values)
        found = marker.findall(text)
        if sorted(int(i) for i, _ in found) == list(range(len(parts))):
            return _split(marker, text, parts)
    raise PromptError(f"{_what(template)} leaves out a part of the messages; choose template= {NAMES}")


def _split(marker: re.Pattern[str], text: str, parts: Sequence[Part]) -> list[str | Part]:
    pieces: list[str | Part] = []
    end = 0
    for found in marker.finditer(text):
        pieces += [text[end : found.start()], _escaped(parts[int(found[1])], found[2])]
        end = found.end()
    return [piece for piece in (*pieces, text[end:]) if piece != ""]


def _escaped(part: Part, marks: str) -> Part:
    """A part as it is, or words as they stand in JSON, once for each `to_json` that they went through."""
    if isinstance(part, ImagePart):
        return part
    text = part.text
    for mark in marks:
        text = json.dumps(text, ensure_ascii=mark == "a")[1:-1]
    return TextPart(text)


def _messages(turns: Sequence[Turn], nonce: str, as_list: bool) -> list[dict[str, Any]]:
    messages, first = [], 0
    for turn in turns:
        content = _join(turn.parts, [f"\ue000{nonce}-{first + i}\ue001" for i in range(len(turn.parts))])
        first += len(turn.parts)
        body = [{"type": "text", "text": content}] if as_list else content
        messages.append({**turn.extra, "role": turn.role, "content": body})
    return messages


def _join(parts: Sequence[Part], markers: Sequence[str]) -> str:
    """An image stands on a line of its own, as in training; text parts follow each other as they are."""
    out = ""
    for i, marker in enumerate(markers):
        if i and isinstance(parts[i], ImagePart) | isinstance(parts[i - 1], ImagePart):
            out += "\n"
        out += marker
    return out


def _run(template: ChatTemplate, messages: Any, values: Mapping[str, Any]) -> str:
    try:
        program = TemplateEnvironment().program(template.source)
        return program.render(messages=messages, add_generation_prompt=True, **values)
    except (Refused, MemoryError):
        raise
    except Exception as error:  # a template is a program: it fails in any way that Python does
        why = short(without_addresses(str(error)), 300) or type(error).__name__
        raise PromptError(f"{_what(template)} failed ({why}); choose template= {NAMES}") from error


def _refusal(template: ChatTemplate, turns: Sequence[Turn], values: Mapping[str, Any], reason: str) -> str:
    """The template's own words, and the remedy: without the system message, if that is what it rejects."""
    said = f"{_what(template)} rejects these messages: {reason}"
    others = [turn for turn in turns if turn.role != "system"]
    if others and len(others) < len(turns):
        try:
            _pieces(template, others, values)
        except (PromptError, Refused):
            pass
        else:
            remedy = f"put its words into the question, or choose template= {NAMES}"
            return f"{said}. It takes no system message: {remedy}"
    return f"{said}. User and assistant messages may have to alternate; else choose template= {NAMES}"


def _what(template: ChatTemplate) -> str:
    own = template.name == ChatTemplate("").name
    return "the model's chat template" if own else f"the chat template {template.name}"
