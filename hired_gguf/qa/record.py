"""What is known of a task afterwards, as one JSON object."""

from __future__ import annotations

import json
from typing import Any

from ..errors import shown
from ..native.load import VERSION
from .asking import Outcome
from .settings import QaSettings
from .task import MOST_ID, Task

#: See docs/qa.md for the fields.
Record = dict[str, Any]

FIRST_FIELD = b'{"id": '  # of every line


def make_record(key: str, task: Task, settings: QaSettings, outcome: Outcome) -> Record:
    """The record of what came of a task.

    ``timings`` and ``reuse`` say what the run had to do; all else is the same however often it was resumed.
    """
    fields = settings.as_dict()
    model, mmproj = fields.pop("model"), fields.pop("mmproj")
    given = outcome.answer or {}
    return {
        "id": task.id,
        "image": task.image_label,
        "question": task.question if isinstance(task.question, str) else None,
        "answer": given.get("text"),
        "parsed": outcome.parsed,
        "status": outcome.status,
        "error": outcome.error,
        "finish_reason": given.get("finish_reason"),
        "visual_tokens": given.get("visual_tokens"),
        "visual_tokens_full": given.get("visual_tokens_full"),
        "budget": settings.token_budget.budget if task.budget is None else _plain(task.budget),
        "max_tokens": settings.max_tokens if task.max_tokens is None else _plain(task.max_tokens),
        "prompt_tokens": given.get("prompt_tokens"),
        "completion_tokens": given.get("completion_tokens"),
        "timings": given.get("timings"),
        "reuse": {name: given[name] for name in ("reused_tokens", "encoded_images", "reused_encodings")}
        if given
        else None,
        "model": model,
        "mmproj": mmproj,
        "version": VERSION,
        "settings": fields,
        "key": key,
    }


def _plain(value: Any) -> Any:
    sound = isinstance(value, str) or (isinstance(value, (int, float)) and abs(value) < MOST_ID)
    return value if sound else shown(value, 1000)


def with_labels(record: Record, task: Task) -> Record:
    """The record with the id and the image's name of a task: an answer is kept by content, not by name."""
    return {**record, "id": task.id, "image": task.image_label}


def has_failed(record: Record) -> bool:
    """Whether ``--retry-errors`` asks again."""
    return bool(record["status"] != "ok")


def is_record(value: Any) -> bool:
    """Whether a line of an output file is a record."""
    needed: dict[str, type] = {"key": str, "status": str, "model": str, "mmproj": str, "settings": dict}
    return (
        isinstance(value, dict)
        and isinstance(value.get("id"), (str, int))
        and all(isinstance(value.get(name), kind) for name, kind in needed.items())
    )


def as_line(value: Any) -> bytes:
    """JSON on one line, its end included. A name that is not Unicode is escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False).encode() + b"\n"
