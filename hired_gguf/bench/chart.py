"""A picture of where the time goes: stacked bars, stock beside each budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import HiredError
from ..reporting import require_matplotlib
from .plan import FIRST, SECOND_QUESTION, BenchTask, by_case
from .report_tables import TASKS

STAGES = {  # a run's field: name and colour (Okabe and Ito's, distinct for colour-blind people too)
    "encode_s": ("vision encoding", "#0072B2"),
    "select_s": ("selection", "#F0E442"),
    "prefill_visual_s": ("prefill, visual tokens", "#D55E00"),
    "prefill_text_s": ("prefill, text", "#E69F00"),
    "rest_s": ("answer, and the rest", "#009E73"),
}


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Write the chart as a PNG: a panel for the first question, one for the second. Raises HiredError."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    panels = {task: bars(document["runs"], task) for task in (FIRST, SECOND_QUESTION)}
    shown = {task: rows for task, rows in panels.items() if rows}
    if not shown:
        raise HiredError(f"[bench] nothing to draw in {path}: there are no runs")
    height = 1.6 + 0.42 * sum(len(rows) + 1.6 for rows in shown.values())
    figure = Figure(figsize=(9, height), layout="constrained")
    FigureCanvasAgg(figure)
    heights = [len(rows) + 1.6 for rows in shown.values()]
    axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (task, rows) in zip(axes, shown.items(), strict=True):
        _draw_panel(axis, rows, TASKS[task])
    axes[-1].set_xlabel("seconds")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(STAGES), frameon=False, fontsize=9)
    figure.suptitle(title(document), fontsize=12)
    figure.savefig(path, dpi=150, format="png")


def bars(runs: Sequence[Mapping[str, Any]], task: BenchTask) -> dict[str, dict[str, float]]:
    """Median seconds by case and stage; ``rest_s`` is what the other stages leave of the whole answer."""
    names = [name for name in STAGES if name != "rest_s"]
    rows = {}
    for label, group in by_case(runs, task).items():
        row = {name: median(run[name] or 0.0 for run in group) for name in names}
        row["rest_s"] = max(0.0, median(run["total_s"] for run in group) - sum(row.values()))
        rows[label] = row
    return rows


def title(document: Mapping[str, Any]) -> str:
    """What ran where."""
    machine, model = document["machine"], Path(document["model"][0]).stem
    return f"{model}, {machine['processor']}, {machine['threads']} threads"


def _draw_panel(axis: Any, rows: Mapping[str, Mapping[str, float]], title: str) -> None:
    places = range(len(rows))
    left = [0.0] * len(rows)
    for name, (label, colour) in STAGES.items():
        widths = [row[name] for row in rows.values()]
        axis.barh(places, widths, left=left, label=label, color=colour, height=0.72)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, end in zip(places, left, strict=True):
        axis.annotate(
            f"{end:.3g} s", (end, place), (5, 0), textcoords="offset points", va="center", fontsize=9
        )
    axis.set_yticks(places, list(rows))
    axis.invert_yaxis()
    axis.margins(x=0.1)
    axis.set_xlim(left=0)
    axis.set_title(title, loc="left", fontsize=11)
    axis.spines[["top", "right"]].set_visible(False)
