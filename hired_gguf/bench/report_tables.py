"""The tables of a benchmark's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ..reporting import Document, Table
from .depth import PARTS
from .plan import FIRST, PLAIN, SECOND_IMAGE, SECOND_QUESTION, STOCK_LABELS, by_case, case_label
from .ratios import Spread

Run = Mapping[str, Any]
TASKS = {
    FIRST: "Question 1 about image 1",
    SECOND_QUESTION: "Question 2 about the same image",
    SECOND_IMAGE: "Question 1 about image 2",
}
SECONDS = {
    "encode_s": "encode",
    "encode_per_tile_s": "a tile",
    "select_s": "select",
    "prefill_visual_s": "visual",
    "prefill_text_s": "text",
    "ttft_s": "first token",
    "token_s": "a token",
    "total_s": "answer",
}
STAGES = [SECONDS[name] for name in PARTS]
BETTER = {
    "ttft": "first token",
    "token": "a token of the answer",
    "tokens_per_s": "tokens/s",
    "second_question": "second question",
    "second_image": "second image",
    "encode_per_tile": "encoding a tile",
    "prefill_visual": "prefill, visual tokens",
    "peak_rss": "peak memory",
    "kv_visual": "KV cache of the image",
}


def tables(document: Document) -> list[Table]:
    """Measured answers, a table a task; what the first token's seconds are; ratios; what is computed."""
    runs = document["runs"]
    measured = [_measured(title, by_case(runs, task)) for task, title in TASKS.items()]
    others = [_ratios(kind, document) for kind in document["ratios"]]
    found = [*measured, _stages(by_case(runs, FIRST)), *others, _full_depth(document), _predictions(document)]
    return [table for table in found if table.rows]


def _measured(title: str, groups: Mapping[str, Sequence[Run]]) -> Table:
    times = max(map(len, groups.values()), default=1)
    title += f" (medians of {times})" if times > 1 else ""
    header = ("", "kernel", "tokens", *SECONDS.values(), "tokens/s", "KV MiB", "peak MiB")
    if times > 1:
        header = (*header, "first token from..to")
    rows = [
        (label, *_cells(group), *([_range(group)] if times > 1 else [])) for label, group in groups.items()
    ]
    return Table(title, header, tuple(rows))


def _cells(runs: Sequence[Run]) -> list[str]:
    middle = {
        name: _middle(runs, name) for name in (*SECONDS, "tokens_per_s", "kv_visual_bytes", "peak_rss_bytes")
    }
    first = runs[0]
    tokens = f"{first['visual_tokens']}/{first['visual_tokens_full']}"
    sizes = [_number(middle[name], 2**20) for name in ("kv_visual_bytes", "peak_rss_bytes")]
    return [first["kernel"], tokens, *(_number(middle[name]) for name in (*SECONDS, "tokens_per_s")), *sizes]


def _range(runs: Sequence[Run]) -> str:
    seconds = [run["ttft_s"] for run in runs]
    return f"{_number(min(seconds))}..{_number(max(seconds))}"


def _stages(groups: Mapping[str, Sequence[Run]]) -> Table:
    """Seconds and shares; "rest" is what the stages leave: decoding the picture, the template, sampling."""
    rows = []
    for label, group in groups.items():
        ttft = _middle(group, "ttft_s") or 0.0
        parts = [_middle(group, name) or 0.0 for name in PARTS]
        parts.append(max(0.0, ttft - sum(parts)))
        rows.append((label, *(f"{_number(part)} ({part / ttft:.0%})" for part in parts), _number(ttft)))
    title = "How the seconds to the first token are made up, question 1 about image 1"
    return Table(title, ("", *STAGES, "rest", "first token"), tuple(rows))


def _middle(runs: Sequence[Run], name: str) -> float | None:
    values = [run[name] for run in runs if run[name] is not None]
    return median(values) if values else None


def _number(value: float | None, unit: float = 1) -> str:
    """Three digits or so; "-" for what is not known."""
    if value is None:
        return "-"
    value /= unit
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _ratios(kind: str, document: Document) -> Table:
    middles, spreads = document["ratios"][kind], document["ratios_spread"][kind]
    names = [name for name in BETTER if name in middles]
    keys = list(dict.fromkeys(key for name in names for key in middles[name]))
    rows = []
    for name in names:
        found = {key: Spread(middle, *spreads[name][key]) for key, middle in middles[name].items()}
        rows.append((BETTER[name], *(str(found.get(key, "-")) for key in keys)))
    header = ("", *(STOCK_LABELS[key] if key == PLAIN else f"budget {key}" for key in keys))
    return Table(f"{kind}, times better than stock (range over repetitions)", header, tuple(rows))


def _full_depth(document: Document) -> Table:
    rows = []
    for row in document["full_depth"]:
        names = (*PARTS, "ttft_s", "token_s", "total_s")
        rows.append((_label(row), row["kernel"], *(_number(row[name]) for name in names)))
    depth = document["depth"] or {"layers": 0, "whole": 0}
    title = (
        f"COMPUTED for {depth['whole']} text layers from the {depth['layers']} measured, "
        "question 1 about image 1"
    )
    return Table(title, ("", "kernel", *STAGES, "first token", "a token", "answer"), tuple(rows))


def _predictions(document: Document) -> Table:
    rows = []
    for row in document["predictions"]:
        cells = [
            _number(row[name])
            for name in ("encode_s", "prefill_visual_s", "prefill_text_s", "ttft_s", "total_s")
        ]
        error = "-" if row["error"] is None else f"{row['error']:+.0%}"
        rows.append((_label(row), str(row["visual_tokens"]), *cells, error))
    header = ("", "tokens", "encode", "visual", "text", "first token", "answer", "error")
    return Table("Predicted by a short probe, question 1 about image 1", header, tuple(rows))


def _label(row: Run) -> str:
    return case_label(row["type"], row["engine"], row["budget"])
