"""The report for people: accuracy under each configuration, and by kind of question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..reporting import Document, Report, Table

NOTE = (
    "Exact match in per cent, with 95 % intervals: Wilson's, for as many questions as would be independent "
    "(those about one picture are not). 'of full': as a part of the accuracy with all tokens, its interval "
    "the bootstrap over pictures. 'tokens': visual ones of a picture. 's': seconds a question, without the "
    "encoding."
)
TEXT_NOTE = (
    "'text shown': of the questions that ask for a text, those whose characters all lie in kept patches of "
    "the tiles."
)


def make_report(document: Document) -> Report:
    """The whole report."""
    return Report(document["command"], tables(document), remarks(document))


def remarks(document: Document) -> list[str]:
    """What to know for reading the tables."""
    return [NOTE + (" " + TEXT_NOTE if _asks_for_text(document) else "")]


def tables(document: Document) -> list[Table]:
    """One over all questions; one by kind, if there are several."""
    return [_overall(document), *([_by_kind(document)] if len(document["kinds"]) > 1 else [])]


def _overall(document: Document) -> Table:
    text = _asks_for_text(document)
    header = (
        "budget",
        "accuracy",
        "95 %",
        "of full",
        "95 %",
        "tokens",
        *(["text shown"] if text else []),
        "s",
    )
    rows = [
        (
            one["label"],
            *_share(one["all"]),
            *_share(one["relative_to_full"]),
            f"{one['visual_tokens']:.0f}",
            *([_share(one["answer_kept"])[0]] if text else []),
            f"{one['seconds_per_question']:.3g}",
        )
        for one in document["configurations"]
    ]
    return Table(
        f"{document['questions']} questions about {document['pictures']} pictures", header, tuple(rows)
    )


def _by_kind(document: Document) -> Table:
    rows = []
    for one in document["configurations"]:
        shares = [_share(one["kinds"][kind]) for kind in document["kinds"]]
        rows.append((one["label"], *(f"{share} {interval}" for share, interval in shares)))
    sizes = [document["configurations"][0]["kinds"][kind]["n"] for kind in document["kinds"]]
    header = [f"{kind} ({n})" for kind, n in zip(document["kinds"], sizes, strict=True)]
    return Table("By kind of question (how many)", ("budget", *header), tuple(rows))


def _asks_for_text(document: Document) -> bool:
    return any(one["answer_kept"] for one in document["configurations"])


def _share(share: Mapping[str, Any] | None) -> tuple[str, str]:
    """A share in per cent and its interval; "-" for what is not known."""
    if share is None:
        return "-", "-"
    if share["low"] is None:
        return _percent(share["share"]), "-"
    return _percent(share["share"]), f"{_percent(share['low'])}-{_percent(share['high'])}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
