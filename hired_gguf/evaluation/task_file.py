"""Questions of a JSON Lines file: how TextVQA, DocVQA and the like come in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import InputError, short
from ..files import given_path
from ..images.load import MAX_PIXELS, load_image
from ..qa.json_tasks import json_object
from ..qa.text_lines import numbered_lines
from .matching import normalise
from .tasks import EvalPicture, EvalQuestion


def read_pictures(path: Path, max_pixels: int = MAX_PIXELS) -> list[EvalPicture]:
    """The pictures of a file, in the order of their first questions.

    Each line is an object with ``image`` (a path, seen from the file's folder), ``question``, and ``answers``
    (a list, any of which is right) or ``answer``; it may have ``id`` and ``kind``. Other fields are ignored,
    as are empty lines. Raises InputError, naming file, line and field.
    """
    path = Path(given_path(path))
    found: dict[Path, list[EvalQuestion]] = {}
    try:
        with path.open("rb") as file:
            lines = list(numbered_lines(file, str(path)))
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    for number, line in lines:
        if line.strip():
            image, question = _parse(line, number, path)
            found.setdefault(image, []).append(question)
    if not found:
        raise InputError(f"{path} holds no questions")
    load = partial(load_image, max_pixels=max_pixels)
    return [EvalPicture(str(image), partial(load, image), tuple(qs)) for image, qs in found.items()]


def _parse(line: str, number: int, path: Path) -> tuple[Path, EvalQuestion]:
    where = f"{path}, line {number}"
    fields = json_object(line, where)
    try:
        question = EvalQuestion(
            id=_id(fields.get("id", number)),
            text=_text(fields, "question"),
            answers=_answers(fields),
            kind=_text(fields, "kind") if "kind" in fields else EvalQuestion.kind,
        )
        return _image(fields, path.parent), question
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _id(value: Any) -> str | int:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return value
    raise InputError(f"id is {_shown(value)}; allowed: a text or a whole number")


def _text(fields: Mapping[str, Any], name: str) -> str:
    if name not in fields:
        raise InputError(f"{name} is missing")
    value = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name} is {_shown(value)}; allowed: a text that is not empty")
    return value


def _image(fields: Mapping[str, Any], folder: Path) -> Path:
    path = Path(given_path(_text(fields, "image"), folder))
    if not path.is_file():
        raise InputError(f"image {str(path)!r} is {'not a' if path.exists() else 'no such'} file")
    return path


def _answers(fields: Mapping[str, Any]) -> tuple[str, ...]:
    if ("answer" in fields) == ("answers" in fields):
        raise InputError(
            "either answer or answers is needed, not both" if "answer" in fields else "answers is missing"
        )
    name = "answers" if "answers" in fields else "answer"
    given = fields[name] if name == "answers" else [fields[name]]
    if not isinstance(given, list) or not all(isinstance(answer, str) for answer in given):
        allowed = "a list of texts" if name == "answers" else "a text"
        raise InputError(f"{name} is {_shown(fields[name])}; allowed: {allowed}")
    found = tuple(dict.fromkeys(answer for answer in given if normalise(answer)))
    if not found:
        raise InputError(f"{name} is {_shown(fields[name])}: nothing that could be matched")
    return found


def _shown(value: Any) -> str:
    return short(json.dumps(value, ensure_ascii=False))
