"""A picture of accuracy against the tokens that a budget leaves, with confidence bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..reporting import require_matplotlib

# Okabe and Ito's, distinct for colour-blind people too; the first is that of the product.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>"
APART = 1.05  # factor between two single points
Point = Mapping[str, Any]


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Write the chart as a PNG. Raises HiredError without matplotlib."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  only charts need it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    shown = lines(document["configurations"])
    alone = [policy for policy, points in shown.items() if len(points) == 1]
    for i, (policy, points) in enumerate(shown.items()):
        colour, marker = style(i)
        if policy in alone:
            _draw_point(axis, points[0], APART ** (1 + alone.index(policy)), colour, marker)
        else:
            _draw_line(axis, policy, points, colour, marker)
    for point in document["configurations"]:
        if point["selection"] == "none":
            _draw_level(axis, point["policy"], 100 * point["all"]["share"])
    _scales(axis, [point for points in shown.values() for point in points])
    _right_axis(axis, document["configurations"])
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(title(document), fontsize=11)
    figure.savefig(path, dpi=150, format="png")


def lines(configurations: Sequence[Point]) -> dict[str, list[Point]]:
    """The points of each policy by rising number of tokens.

    That with all tokens, where nothing is chosen, ends the line of every policy that has points of its own.
    """
    full = [point for point in configurations if point["full"]]
    found: dict[str, list[Point]] = {}
    for point in configurations:
        if not point["full"] and point["selection"] != "none":
            found.setdefault(point["policy"], []).append(point)
    if not found:
        return {"all tokens": full} if full else {}
    return {
        policy: sorted([*points, *_end(points, full)], key=lambda point: float(point["visual_tokens"]))
        for policy, points in found.items()
    }


def _end(points: Sequence[Point], full: Sequence[Point]) -> Sequence[Point]:
    """The point with all tokens that belongs to a line, if it is one."""
    same = [point for point in full if point["newlines"] == points[0]["newlines"]]
    return (same or full)[: len(points) > 1]


def style(i: int) -> tuple[str, str]:
    """Colour and marker of the i-th policy: together they are no other's."""
    again = i // len(COLOURS)  # the colours come back with other markers
    return COLOURS[i % len(COLOURS)], MARKERS[(i + again) % len(MARKERS)]


def title(document: Mapping[str, Any]) -> str:
    """What was asked of whom."""
    asked = f"{document['questions']} questions about {document['pictures']} pictures"
    return f"{Path(document['model'][0]).stem}: exact match, {asked}"


def _draw_line(axis: Any, policy: str, points: Sequence[Point], colour: str, marker: str) -> None:
    tokens = [point["visual_tokens"] for point in points]
    share, low, high = ([100 * point["all"][name] for point in points] for name in ("share", "low", "high"))
    axis.plot(tokens, share, color=colour, marker=marker, label=policy)
    axis.fill_between(tokens, low, high, color=colour, alpha=0.15, linewidth=0)


def _draw_point(axis: Any, point: Point, aside: float, colour: str, marker: str) -> None:
    """A point with an error bar, moved a little, so that several at one budget stay visible."""
    share, low, high = (100 * point["all"][name] for name in ("share", "low", "high"))
    place, errors = point["visual_tokens"] * aside, [[share - low], [high - share]]
    style = {"color": colour, "marker": marker, "markersize": 5, "capsize": 3, "ls": "none"}
    axis.errorbar([place], [share], errors, label=point["policy"], **style)


def _draw_level(axis: Any, name: str, level: float) -> None:
    axis.axhline(level, color="0.5", linestyle="--", linewidth=1, label=name)


def _scales(axis: Any, points: Sequence[Point]) -> None:
    axis.set_xscale("log")
    axis.set_ylim(0, 100)
    axis.set_ylabel("exact match, % (bands: 95 %)")
    axis.set_xlabel("visual tokens of a picture, mean (below: the budget)")
    places = {point["visual_tokens"]: point["budget"] for point in points}
    if len({point["budget"] for point in points}) < len(places):  # one label a budget: its first
        places = {tokens: budget for budget, tokens in {b: t for t, b in reversed(places.items())}.items()}
    axis.set_xticks(list(places), [f"{tokens:.0f}\n({budget})" for tokens, budget in places.items()])
    axis.minorticks_off()
    axis.grid(axis="y", color="0.9")
    axis.spines[["top"]].set_visible(False)


def _right_axis(axis: Any, configurations: Sequence[Point]) -> None:
    """The same in per cent of the accuracy with all tokens."""
    full = next((point["all"]["share"] for point in configurations if point["full"]), 0)
    if full:
        right = axis.secondary_yaxis("right", functions=(lambda y: y / full, lambda y: y * full))
        right.set_ylabel("% of the accuracy with all tokens")
