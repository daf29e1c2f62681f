"""The results of a benchmark: one JSON document, up to date after every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .depth import full_depth
from .fit import fit_runs
from .plan import Case
from .predict import predictions
from .probe import Probe
from .ratios import Spread, ratios
from .runner import Failure


class Results:
    """Gathers runs. ``facts`` open the document: command, start, machine, model."""

    def __init__(self, facts: dict[str, Any], plan: Sequence[Case], probes: Mapping[str, Probe]) -> None:
        self.runs: list[dict[str, Any]] = []
        self.failures: list[Failure] = []
        self.probes = probes
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
        found, depth = ratios(self.runs), self._facts["depth"]
        return {
            **self._facts,
            "runs": self.runs,
            "failures": [asdict(failure) for failure in self.failures],
            "ratios": _numbers(found, lambda spread: spread.middle),
            "ratios_spread": _numbers(found, lambda spread: [spread.low, spread.high]),
            "fits": {
                kind: {name: asdict(line) for name, line in lines.items()}
                for kind, lines in fit_runs(self.runs).items()
            },
            "full_depth": full_depth(self.runs, depth) if depth else [],
            "probes": {kind: asdict(probe) for kind, probe in self.probes.items()},
            "predictions": predictions(self.probes, self._plan, self.runs),
        }


def _numbers(
    ratios: Mapping[str, Mapping[str, Mapping[str, Spread]]], number: Callable[[Spread], Any]
) -> dict[str, Any]:
    """The same with a number, or numbers, in place of each spread."""
    return {
        kind: {name: {key: number(spread) for key, spread in by.items()} for name, by in by_name.items()}
        for kind, by_name in ratios.items()
    }
