"""The settings of a run: what decides its answers besides pictures and questions, and how two runs differ."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from ..errors import InputError, short
from ..model_files.mmproj import MmprojInfo
from ..model_files.pair import text_fingerprint
from ..prompt.messages import QUESTION_PLACEHOLDER, check_question_template
from ..prompt.sampling import check_names
from ..prompt.templates import Template, template_identity
from ..selection.budget import DEFAULT, TokenBudget
from .schema import load_schema


@dataclass(frozen=True)
class QaSettings:
    """Everything that decides an answer and is the same for all tasks.

    ``model`` and ``mmproj`` are fingerprints of the files. ``template`` holds "{question}" where the question
    goes; ``chat_template`` is `LlavaNext`'s, a file by its hash. ``sampling`` has further options of
    `LlavaNext.ask`. Context size, threads and devices are not here: they decide how fast an answer comes.

    Raises InputError, PromptError.
    """

    model: str
    mmproj: str
    token_budget: TokenBudget = DEFAULT
    chat_template: str | None = None
    template: str = QUESTION_PLACEHOLDER
    system: str | None = None
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None
    schema: Mapping[str, Any] | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_question_template(self.template)
        check_names(self.sampling)
        try:
            json.dumps(self.as_dict(), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"an option of a batch must be plain JSON: {error}") from None

    def as_dict(self) -> dict[str, Any]:
        """All of it by name, the fields of the token budget among them."""
        named = {item.name: getattr(self, item.name) for item in fields(self)}
        model, mmproj, budget = named.pop("model"), named.pop("mmproj"), named.pop("token_budget")
        return {"model": model, "mmproj": mmproj, **vars(budget), **named}

    @cached_property
    def fingerprint(self) -> str:
        """Equal for equal settings."""
        return hashlib.sha256(json.dumps(self.as_dict()).encode()).hexdigest()

    def ask_options(self) -> dict[str, Any]:
        """The keyword arguments of `LlavaNext.ask` that are the same for every task."""
        given = {name: getattr(self, name) for name in ("system", "temperature", "seed")}
        return {**given, **self.sampling}

    def differences(self, record: Mapping[str, Any]) -> list[str]:
        """How a record's settings differ from these, as "budget was 0.2 and is 0.4"."""
        theirs = settings_of(record)
        return [
            f"{name} was {short(was)} and is {short(now)}"
            for name, ours in self.as_dict().items()
            if (was := _json(theirs.get(name))) != (now := _json(ours))  # 1 is a token, 1.0 is all
        ]


def settings_of_files(
    model: str | os.PathLike[str],
    mmproj: MmprojInfo,
    *,
    schema: Any = None,
    chat_template: Template = None,
    sampling: Mapping[str, Any] | None = None,
    **given: Any,
) -> QaSettings:
    """The settings of a pair of files, before anything is loaded. ``given`` are fields of `QaSettings`.

    ``schema`` is an object, its text or its file. Raises BudgetError, InputError, PromptError,
    ModelFormatError.
    """
    return QaSettings(
        model=text_fingerprint(model),
        mmproj=mmproj.fingerprint,
        schema=None if schema is None else load_schema(schema),
        chat_template=template_identity(chat_template),
        sampling=dict(sorted((sampling or {}).items())),
        **given,
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def settings_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a record was made with."""
    return {"model": record["model"], "mmproj": record["mmproj"], **record["settings"]}
