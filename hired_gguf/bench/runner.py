"""Runs a plan: a fresh child for each case, the cases in turn, all of that as often as repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..native.child import Child
from ..native.child_errors import ChildError
from ..native.watch import Tick
from .engine import EngineSettings
from .pair import Files
from .plan import ANSWER_TOKENS, QUESTIONS, BenchTask, Case
from .probe import PROBE_CONTEXT, Probe
from .worker import TARGET

#: Gets what is being done and returns who hears of the seconds that pass.
Watch = Callable[[str], Tick]
Run = dict[str, Any]  # as the JSON document holds it


@dataclass(frozen=True)
class Failure:
    """A case that ended early. It is not tried again."""

    type: str
    engine: str
    budget: int | float | None
    repetition: int
    doing: str
    reason: str


@dataclass(frozen=True)
class Runner:
    """Runs cases on the text models of one mmproj and two PNGs."""

    files: Files
    images: Sequence[Path]
    threads: int
    gpu_layers: int
    watch: Watch
    verbose: bool = False

    def probes(self) -> dict[str, Probe]:
        """Probe each type. Raises ChildError."""
        return {kind: self._probe(kind) for kind in self.files.texts}

    def _probe(self, kind: str) -> Probe:
        with Child(TARGET, verbose=self.verbose) as child:
            settings = self._settings(kind, None, PROBE_CONTEXT)
            probe: Probe = child.call("probe", self.watch(f"a short probe of {kind}"), settings=settings)
        return probe

    def run(self, plan: Sequence[Case], repetitions: int, text_tokens: int) -> Iterator[Run | Failure]:
        """Yield a run after each answer, and a failure for each case that ends early.

        ``text_tokens`` are those of the longest question's prompt.
        """
        failed: set[str] = set()
        for repetition in range(1, repetitions + 1):
            for case in (case for case in plan if case.label not in failed):
                n_ctx = case.context(text_tokens)
                for result in self._case(case, n_ctx, repetition):
                    if isinstance(result, Failure):
                        failed.add(case.label)
                    yield result

    def _case(self, case: Case, n_ctx: int, repetition: int) -> Iterator[Run | Failure]:
        doing = "loading"
        with Child(TARGET, verbose=self.verbose) as child:
            try:
                settings = self._settings(case.type, case.budget, n_ctx)
                child.call("load", self._watch(case, doing), engine=case.engine, settings=settings)
                for task in case.tasks:
                    doing = str(task)
                    measured = self._ask(child, case, task)
                    head = {"type": case.type, "engine": case.engine, "budget": case.budget, **asdict(task)}
                    yield {**head, "repetition": repetition, **measured}
            except ChildError as error:
                yield Failure(case.type, case.engine, case.budget, repetition, doing, str(error))

    def _ask(self, child: Child, case: Case, task: BenchTask) -> Run:
        measured: Run = child.call(
            "ask",
            self._watch(case, str(task)),
            image=str(self.images[task.image - 1]),
            question=QUESTIONS[task.question - 1],
            max_tokens=ANSWER_TOKENS,
        )
        return measured

    def _watch(self, case: Case, doing: str) -> Tick:
        return self.watch(f"{case.label}, {doing}")

    def _settings(self, kind: str, budget: int | float | None, n_ctx: int) -> EngineSettings:
        pair = str(self.files.texts[kind]), str(self.files.mmproj)
        return EngineSettings(*pair, budget, n_ctx, self.threads, self.gpu_layers)
