"""The report for people: what was measured, how it compares, what it says of other budgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..reporting import Document, Report
from . import neighbours
from .plan import case_label
from .report_tables import tables

NOTE = (
    "Seconds; 'visual' and 'text' are prefill, 'first token' and 'answer' run from the call, 'a token' is "
    "one of the answer after the first. tokens/s are of the whole answer, encoding and prefill included. KV "
    "is the cache of the image's tokens, peak the most memory of the process. 'kernel' is what multiplies "
    "the language model's matrices: ggml, or hired-gguf's own."
)


def make_report(document: Document) -> Report:
    """The whole report."""
    return Report(document["command"], tables(document), remarks(document))


def remarks(document: Document) -> list[str]:
    """Sentences under the tables."""
    lines = [NOTE] if document["runs"] else []
    if depth := document["depth"]:
        lines.append(
            f"The text model has {depth['layers']} of {depth['whole']} layers, each of full width; the "
            "vision encoder is whole. What is COMPUTED for all layers takes each for as slow as those "
            "measured: prefill grows with their number, a token of the answer with the bytes that it reads."
        )
    for kind, fits in document["fits"].items():
        if "prefill" in fits:
            lines.append(_fit_line(f"{kind}, first token without encoding", fits["prefill"], "visual token"))
        if "encode" in fits:
            lines.append(_fit_line(f"{kind}, encoding", fits["encode"], "tile"))
    lines += [
        f"FAILED: {case_label(failure['type'], failure['engine'], failure['budget'])}, {failure['doing']}: "
        f"{failure['reason']}"
        for failure in document["failures"]
    ]
    if busy := neighbours.remark([*document["runs"], *document["probes"].values()]):
        lines.append(busy)
    return [*lines, machine_line(document["machine"])]


def machine_line(machine: Mapping[str, Any]) -> str:
    """What it ran on."""
    versions = machine["versions"]
    return (
        f"{machine['processor']}, {machine['threads']} threads, hired-gguf {versions['hired-gguf']} "
        f"({machine['commit'] or 'no commit known'}), llama-cpp-python {versions['llama-cpp-python']}"
    )


def _fit_line(what: str, line: Mapping[str, Any], unit: str) -> str:
    return (
        f"{what}: {line['intercept']:.3g} s + {line['slope']:.3g} s a {unit} "
        f"(fit to {line['points']} runs, worst error {line['worst_error']:.0%})"
    )
