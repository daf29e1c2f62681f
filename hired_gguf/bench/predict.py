"""What each budget would cost, from the probe alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .plan import ANSWER_TOKENS, FIRST, OURS, Case, by_case
from .prefill_cost import fit_prefill
from .probe import Probe

TEXT_BATCHES = 2  # a prompt's text is evaluated before the picture and after it, the probe's at once
USUAL_REPETITIONS = 3
SHORT_S = 900.0
ASIDE_S = 6.0  # a child's start, and loading a pair that the system has in memory


def predict(probe: Probe, visual_tokens: int, partitions: int) -> dict[str, float]:
    """Seconds of a first question. A further batch of text reads all weights once more, as a token does."""
    cost = fit_prefill(probe.batches, probe.batch_rows)
    encode, prefill = probe.tile_s * partitions, cost.seconds(visual_tokens)
    text = probe.text_s + (TEXT_BATCHES - 1) * probe.token_s
    text += cost.attention * probe.text_tokens * visual_tokens
    ttft = encode + prefill + text + probe.rest_s
    return {
        "encode_s": encode,
        "prefill_visual_s": prefill,
        "prefill_text_s": text,
        "ttft_s": ttft,
        "total_s": ttft + (ANSWER_TOKENS - 1) * probe.token_s,
    }


def predictions(
    probes: Mapping[str, Probe], plan: Sequence[Case], runs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A prediction for question 1 about image 1 at each budget, with its error where it was measured.

    ``error`` is relative: 0.1 is a prediction that is 10 % too long.
    """
    rows = []
    measured = by_case(runs, FIRST)
    for case in (case for case in plan if case.engine == OURS):
        row: dict[str, Any] = {"type": case.type, "engine": OURS, "budget": case.budget}
        row["visual_tokens"] = case.visual_tokens[0]
        row.update(predict(probes[case.type], case.visual_tokens[0], case.partitions[0]))
        seen = [run["ttft_s"] for run in measured.get(case.label, ())]
        row["error"] = row["ttft_s"] / median(seen) - 1 if seen else None
        rows.append(row)
    return rows


def case_seconds(probe: Probe, case: Case) -> list[float]:
    """Seconds of each task of a case. Ours does not read the same image twice; stock does."""
    reread = case.engine != OURS
    return [
        predict(probe, tokens, partitions)["total_s"]
        if reread or task.question == 1
        else probe.text_s + ANSWER_TOKENS * probe.token_s
        for task, tokens, partitions in zip(case.tasks, case.visual_tokens, case.partitions, strict=True)
    ]


def plan_seconds(probes: Mapping[str, Probe], plan: Sequence[Case], repetitions: int) -> float:
    """Seconds of the whole benchmark, about."""
    return repetitions * sum(ASIDE_S + sum(case_seconds(probes[case.type], case)) for case in plan)


def repetitions_in_time(probes: Mapping[str, Probe], plan: Sequence[Case]) -> int:
    """`USUAL_REPETITIONS` where they will end within `SHORT_S`, else 1."""
    return USUAL_REPETITIONS if plan_seconds(probes, plan, USUAL_REPETITIONS) <= SHORT_S else 1
