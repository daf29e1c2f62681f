"""The chat template of a call: named by the caller, read from a file, the model's own, or guessed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..errors import PromptError, shown
from .built_in import BUILT_IN, NAMES, ChatTemplate
from .environment import check_syntax
from .families import ModelFacts, guess_template, trained_otherwise
from .rendering import render

__all__ = ["BUILT_IN", "ChatTemplate", "choose_template", "named_template", "render", "template_identity"]

MAX_BYTES = 1 << 20
Template = str | os.PathLike[str] | None
NOTHING_KNOWN = ModelFacts()


def choose_template(
    wanted: Template | ChatTemplate, in_file: str | None, facts: ModelFacts = NOTHING_KNOWN
) -> ChatTemplate:
    """What the caller wants, else the GGUF's own, else what its family was trained with.

    Of the GGUF's own, `trained_otherwise` knows the exception. Raises PromptError as `named_template`.
    """
    if isinstance(wanted, ChatTemplate):
        return wanted
    if wanted is not None:
        return named_template(wanted)
    if not in_file or not in_file.strip():
        return guess_template(facts)
    return trained_otherwise(facts, in_file) or ChatTemplate(in_file)


def named_template(wanted: str | os.PathLike[str]) -> ChatTemplate:
    """A built-in template by its name, or a file of Jinja, or of JSON with a ``chat_template`` in it.

    Raises PromptError for another name, and for a file that cannot be read or is no template.
    """
    if not isinstance(wanted, (str, os.PathLike)):
        raise PromptError(
            f"template is a {type(wanted).__name__}; allowed: {NAMES}, the path of a Jinja file, "
            "or None for the model's own"
        )
    if isinstance(wanted, str) and wanted in BUILT_IN:
        return BUILT_IN[wanted]
    path = _expanded(os.fsdecode(wanted))
    source = _source(_read(path, wanted), path)
    check_syntax(source, f"template {shown(str(path), 200)}")
    return ChatTemplate(source, name=str(path))


def template_identity(wanted: Template) -> str | None:
    """What tells a template from another: its name, or the hash of the file's text. Raises PromptError."""
    if wanted is None or wanted in BUILT_IN:
        return None if wanted is None else str(wanted)
    return "sha256:" + hashlib.sha256(named_template(wanted).source.encode()).hexdigest()


def _expanded(text: str) -> Path:
    try:
        return Path(os.path.expanduser(text))
    except ValueError:  # no user can have that name
        return Path(text)


def _read(path: Path, wanted: str | os.PathLike[str]) -> str:
    name = f"template {shown(str(path), 200)}"
    try:
        if not path.is_file():
            allowed = f"allowed: {NAMES}, the path of a Jinja file, or None for the model's own"
            raise PromptError(f"template is {shown(os.fsdecode(wanted), 200)}, which is no file; {allowed}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PromptError(f"{name} cannot be read: {error.strerror}") from None
    except ValueError as error:  # PromptError, and what a name that no file can have gives
        raise error if isinstance(error, PromptError) else PromptError(f"{name}: {error}") from None
    if len(data) > MAX_BYTES:
        raise PromptError(f"{name} is longer than {MAX_BYTES} bytes: no chat template")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PromptError(f"{name} is not UTF-8 text: {error}") from None


def _source(text: str, path: Path) -> str:
    """The Jinja of a file: its text, or what Hugging Face's tokenizer_config.json and its like hold."""
    try:
        held: Any = json.loads(text)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict):
        if not text.strip():
            raise PromptError(f"template {shown(str(path), 200)} is empty")
        return text
    found = held.get("chat_template")
    if isinstance(found, list):  # several, by name
        by_name = {item.get("name"): item.get("template") for item in found if isinstance(item, dict)}
        found = by_name.get("default")
    if not isinstance(found, str):
        raise PromptError(f"template {shown(str(path), 200)} is JSON without a text 'chat_template'")
    return found
