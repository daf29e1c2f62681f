"""The results of a benchmark: one JSON document, up to date after every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .fit import fit_runs
from .plan import Case
from .predict import predictions
from .probe import Probe
from .ratios import ratios
from .runner import Failure


class Results:
    """Gathers runs. ``facts`` open the document: command, start, machine, model."""

    def __init__(self, facts: dict[str, Any], plan: Sequence[Case], probe: Probe) -> None:
        self.runs: list[dict[str, Any]] = []
        self.failures: list[Failure] = []
        self.probe = probe
        self._facts = facts
        self._plan = plan

    def add(self, result: dict[str, Any] | Failure) -> None:
        """Take a run or a failure."""
        if isinstance(result, Failure):
            self.failures.append(result)
        else:
            self.runs.append(result)

    def document(self) -> dict[str, Any]:
        """All of it. Seconds and bytes; ``ratios`` are medians, ``ratios_spread`` [least, most]."""
        found = ratios(self.runs)
        return {
            **self._facts,
            "runs": self.runs,
            "failures": [asdict(failure) for failure in self.failures],
            "ratios": {name: {b: s.middle for b, s in by.items()} for name, by in found.items()},
            "ratios_spread": {
                name: {b: [s.low, s.high] for b, s in by.items()} for name, by in found.items()
            },
            "fits": {name: asdict(line) for name, line in fit_runs(self.runs).items()},
            "probe": asdict(self.probe),
            "predictions": predictions(self.probe, self._plan, self.runs),
        }
