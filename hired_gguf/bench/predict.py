"""What each budget would cost, from the probe alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .fit import Line, fit_line
from .plan import ANSWER_TOKENS, FIRST, Case
from .probe import ROWS, Probe

ASIDE_S = 6.0  # a child's start, and loading a pair that the system has in memory


def rows_line(probe: Probe) -> Line:
    """Seconds of prefill by visual rows: a line, though attention makes it bend upwards."""
    line = fit_line(list(zip(ROWS, probe.rows_s, strict=True)))
    assert line is not None
    return line


def predict(probe: Probe, visual_tokens: int, partitions: int) -> dict[str, float]:
    """Seconds of a first question."""
    encode, prefill = probe.tile_s * partitions, rows_line(probe).at(visual_tokens)
    ttft = encode + prefill + probe.text_s
    return {
        "encode_s": encode,
        "prefill_visual_s": prefill,
        "prefill_text_s": probe.text_s,
        "ttft_s": ttft,
        "total_s": ttft + (ANSWER_TOKENS - 1) * probe.token_s,
    }


def predictions(
    probe: Probe, plan: Sequence[Case], runs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A prediction for question 1 about image 1 at each budget, with its error where it was measured.

    ``error`` is relative: 0.1 is a prediction that is 10 % too long.
    """
    rows = []
    for case in (case for case in plan if case.engine == "ours"):
        row: dict[str, Any] = {"budget": case.budget, "visual_tokens": case.visual_tokens[0]}
        row.update(predict(probe, case.visual_tokens[0], case.partitions[0]))
        seen = [run["ttft_s"] for run in runs if _is_first(run) and run["budget"] == case.budget]
        row["error"] = row["ttft_s"] / median(seen) - 1 if seen else None
        rows.append(row)
    return rows


def _is_first(run: Mapping[str, Any]) -> bool:
    return run["engine"] == "ours" and (run["question"], run["image"]) == (FIRST.question, FIRST.image)


def case_seconds(probe: Probe, case: Case) -> list[float]:
    """Seconds of each task of a case. Ours does not read the same image twice; stock does."""
    reread = case.engine == "stock"
    return [
        predict(probe, tokens, partitions)["total_s"]
        if reread or task.question == 1
        else probe.text_s + ANSWER_TOKENS * probe.token_s
        for task, tokens, partitions in zip(case.tasks, case.visual_tokens, case.partitions, strict=True)
    ]


def plan_seconds(probe: Probe, plan: Sequence[Case], repetitions: int) -> float:
    """Seconds of the whole benchmark, about."""
    return repetitions * sum(ASIDE_S + sum(case_seconds(probe, case)) for case in plan)
