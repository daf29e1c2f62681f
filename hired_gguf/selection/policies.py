"""The names of what decides which visual tokens stay, what each means, and where it comes from.

Help texts, error messages, drawings and documents read these tables, so a new name reaches all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Choice(NamedTuple):
    """What a name stands for: its meaning in a sentence, and its source.

    ``needs`` says what an allocation or a selection reads, and nothing else is computed for it: "overview"
    (CLS attention of the full image), "attention" (of the partitions that have a share), "rows" (the
    projected rows of all tokens), "question" (the embeddings of the question's words). An allocation that
    needs more than the overview gets all partitions' attention. ``layer`` is the vision layer, "first" or
    "last", by whose attention an allocation shares, or "".
    """

    meaning: str
    source: str
    needs: tuple[str, ...] = ("attention",)
    layer: str = ""

    @property
    def by_attention(self) -> bool:
        """Whether a selection ranks tokens by CLS attention alone before it picks."""
        return self.needs == ("attention",)


PAPER = "HiRED, arXiv 2408.10945, Algorithm 1"
OVERVIEW = ("overview",)
ROWS = ("attention", "rows")

#: How the budget is shared among the partitions.
ALLOCATIONS: dict[str, Choice] = {
    "hired": Choice(
        "Tiles share by the first layer's CLS attention on their regions of the full image.",
        PAPER,
        OVERVIEW,
        layer="first",
    ),
    "official": Choice(
        "Tiles share by flat bands of that attention, rounded down, and padding uses budget up.",
        "the HiRED authors' released code, bug for bug",
        OVERVIEW,
        layer="first",
    ),
    "uniform": Choice(
        "Every partition gets the same, as far as it has patches; attention has no say.",
        "a baseline",
        OVERVIEW,
    ),
    "globalcom2": Choice(
        "Partitions share by their patches; a tile gets more where the last layer's CLS attention is high.",
        "GlobalCom2, arXiv 2501.05179",
        OVERVIEW,
        layer="last",
    ),
    "joint": Choice(
        "There are no shares: the selection takes the best tokens of all partitions in one run.",
        "measured here: docs/choosing.md",
    ),
}

#: Which tokens of a partition stay.
SELECTIONS: dict[str, Choice] = {
    "cls": Choice("The patches that CLS attends to most in the last layer stay.", PAPER),
    "scope": Choice(
        "Each pick covers most of what is not covered yet, times its CLS attention.",
        "SCOPE, arXiv 2510.24214",
        ROWS,
    ),
    "cen-div": Choice(
        "Each pick is unlike all patches, and far from the picks before it.",
        "DivPrune, arXiv 2503.02175, on centred rows (Cen-Prune)",
        ROWS,
    ),
    "cen-dpp": Choice(
        "The picks span a large volume, where CLS attention and unlikeness make a patch long.",
        "CDPruner, arXiv 2506.10967, on centred rows, by CLS attention",
        ROWS,
    ),
    "visionzip": Choice(
        "Most picks have most CLS attention; the others hold the mean of the patches that are like them.",
        "VisionZip, arXiv 2412.04467",
        ROWS,
    ),
    "mmtok": Choice(
        "The picks cover the question's words and the picture together.",
        "MMTok, arXiv 2508.18264",
        (*ROWS, "question"),
    ),
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
    "best": {"alpha": 0.5, "allocation": "joint", "selection": "cen-div", "newlines": "auto"},
}

#: What they are, for help texts.
POLICY_MEANINGS: dict[str, Choice] = {
    "hired": Choice("The paper.", PAPER),
    "official": Choice("The authors' code.", "the HiRED authors' released code, bug for bug"),
    "best": Choice(
        "What kept most right answers of the built-in model with fewest tokens.",
        "measured here: docs/choosing.md",
    ),
}


def meanings(choices: Mapping[str, Choice]) -> str:
    """The choices for a help text: each name with what it means."""
    return " ".join(
        f"{name}: {choice.meaning[0].lower()}{choice.meaning[1:]}" for name, choice in choices.items()
    )
