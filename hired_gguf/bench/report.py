"""The report for people: what was measured, how it compares, what it says of other budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from ..reporting import Document, Report, Table
from . import neighbours
from .plan import FIRST, SECOND_IMAGE, SECOND_QUESTION, case_label
from .ratios import Spread

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
    "total_s": "answer",
}
BETTER = {
    "ttft": "first token",
    "tokens_per_s": "tokens/s",
    "second_question": "second question",
    "second_image": "second image",
    "encode_per_tile": "encoding a tile",
    "peak_rss": "peak memory",
    "kv_visual": "KV cache of the image",
}
NOTE = (
    "Seconds; 'visual' and 'text' are prefill, 'first token' and 'answer' run from the call. tokens/s are of "
    "the whole answer, encoding and prefill included. KV is the cache of the image's tokens, peak the most "
    "memory of the process."
)


def make_report(document: Document) -> Report:
    """The whole report."""
    return Report(document["command"], tables(document), remarks(document))


def tables(document: Document) -> list[Table]:
    """The measured answers, a table a task, then the ratios and the predictions."""
    runs = document["runs"]
    measured = [
        _measured(
            title, [run for run in runs if (run["question"], run["image"]) == (task.question, task.image)]
        )
        for task, title in TASKS.items()
    ]
    return [table for table in [*measured, _ratios(document), _predictions(document)] if table and table.rows]


def _measured(title: str, runs: Sequence[Mapping[str, Any]]) -> Table:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault(case_label(run["engine"], run["budget"]), []).append(run)
    header = ("", "tokens", *SECONDS.values(), "tokens/s", "KV MiB", "peak MiB")
    times = max(map(len, groups.values()), default=1)
    title += f" (medians of {times})" if times > 1 else ""
    return Table(title, header, tuple((label, *_cells(group)) for label, group in groups.items()))


def _cells(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    middle = {
        name: _middle(runs, name) for name in (*SECONDS, "tokens_per_s", "kv_visual_bytes", "peak_rss_bytes")
    }
    first = runs[0]
    tokens = f"{first['visual_tokens']}/{first['visual_tokens_full']}"
    sizes = [_number(middle[name], 2**20) for name in ("kv_visual_bytes", "peak_rss_bytes")]
    return [tokens, *(_number(middle[name]) for name in (*SECONDS, "tokens_per_s")), *sizes]


def _middle(runs: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [run[name] for run in runs if run[name] is not None]
    return median(values) if values else None


def _number(value: float | None, unit: float = 1) -> str:
    """Three digits or so; "-" for what is not known."""
    if value is None:
        return "-"
    value /= unit
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def _ratios(document: Document) -> Table | None:
    middles, spreads = document["ratios"], document["ratios_spread"]
    names = [name for name in BETTER if name in middles]
    budgets = list(dict.fromkeys(budget for name in names for budget in middles[name]))
    rows = []
    for name in names:
        found = {b: Spread(middle, *spreads[name][b]) for b, middle in middles[name].items()}
        rows.append((BETTER[name], *(str(found.get(budget, "-")) for budget in budgets)))
    title = "Times better than stock (range over repetitions)"
    return Table(title, ("", *(f"budget {budget}" for budget in budgets)), tuple(rows)) if rows else None


def _predictions(document: Document) -> Table:
    rows = []
    for row in document["predictions"]:
        cells = [
            _number(row[name])
            for name in ("encode_s", "prefill_visual_s", "prefill_text_s", "ttft_s", "total_s")
        ]
        error = "-" if row["error"] is None else f"{row['error']:+.0%}"
        rows.append((f"budget {row['budget']}", str(row["visual_tokens"]), *cells, error))
    header = ("", "tokens", "encode", "visual", "text", "first token", "answer", "error")
    return Table("Predicted by a short probe, question 1 about image 1", header, tuple(rows))


def remarks(document: Document) -> list[str]:
    """Sentences under the tables."""
    lines = [NOTE] if document["runs"] else []
    fits = document["fits"]
    if "prefill" in fits:
        lines.append(_fit_line("First token without encoding", fits["prefill"], "visual token"))
    if "encode" in fits:
        lines.append(_fit_line("Encoding", fits["encode"], "tile"))
    lines += [
        f"FAILED: {case_label(failure['engine'], failure['budget'])}, {failure['doing']}: {failure['reason']}"
        for failure in document["failures"]
    ]
    if busy := neighbours.remark([*document["runs"], document["probe"]]):
        lines.append(busy)
    machine, versions = document["machine"], document["machine"]["versions"]
    lines.append(
        f"{machine['processor']}, {machine['threads']} threads, hired-gguf {versions['hired-gguf']} "
        f"({machine['commit'] or 'no commit known'}), llama-cpp-python {versions['llama-cpp-python']}"
    )
    return lines


def _fit_line(what: str, line: Mapping[str, Any], unit: str) -> str:
    return (
        f"{what}: {line['intercept']:.3g} s + {line['slope']:.3g} s a {unit} "
        f"(fit to {line['points']} runs, worst error {line['worst_error']:.0%})"
    )
