"""The names of what decides which visual tokens stay, what each means, and where it comes from.

Help texts, error messages, drawings and documents read these tables, so a new name reaches all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Choice(NamedTuple):
    """What a name stands for: its meaning in a sentence, and its source."""

    meaning: str
    source: str


PAPER = "HiRED, arXiv 2408.10945, Algorithm 1"

#: How the budget is shared among the partitions.
ALLOCATIONS: dict[str, Choice] = {
    "hired": Choice(
        "Tiles share by the first layer's CLS attention on their regions of the full image.", PAPER
    ),
    "official": Choice(
        "Tiles share by flat bands of that attention, rounded down, and padding uses budget up.",
        "the HiRED authors' released code, bug for bug",
    ),
    "uniform": Choice(
        "Every partition gets the same, as far as it has patches; attention has no say.", "a baseline"
    ),
}

#: Which tokens of a partition stay.
SELECTIONS: dict[str, Choice] = {
    "cls": Choice("The patches that CLS attends to most in the last layer stay.", PAPER),
}

#: Whether the rows of the mosaic end with LLaVA-Next's newline row.
NEWLINES: dict[str, Choice] = {
    "auto": Choice(
        "Newline rows stay only where no token is dropped.", "costs nothing that we could measure"
    ),
    "keep": Choice("Each row of the mosaic ends with a newline row.", "LLaVA-Next"),
    "drop": Choice("No newline row stays.", "the HiRED authors' released code"),
}

#: Short names for whole sets of options of `TokenBudget`.
POLICIES: dict[str, Mapping[str, Any]] = {
    "hired": {"alpha": 0.5, "allocation": "hired", "selection": "cls", "newlines": "auto"},
    "official": {"alpha": 0.5, "allocation": "official", "selection": "cls", "newlines": "drop"},
}


def meanings(choices: Mapping[str, Choice]) -> str:
    """The choices for a help text: each name with what it means."""
    return " ".join(
        f"{name}: {choice.meaning[0].lower()}{choice.meaning[1:]}" for name, choice in choices.items()
    )
