"""docs/policies.md has every name with its meaning and source, and no other."""

from __future__ import annotations

import pytest
from documents import table
from paths import ROOT

from hired_gguf.selection import policies

PAGE = (ROOT / "docs" / "policies.md").read_text()


def rows(title):
    """The table of a section, first cells without their ticks."""
    section = PAGE.partition(f"## `{title}`")[2].partition("\n## ")[0]
    return [[row[0].strip("`"), *row[1:]] for row in table(section)]


@pytest.mark.parametrize("title", ["allocation", "selection", "newlines"])
def test_every_name_is_there(title):
    name = {"newlines": "NEWLINES"}.get(title, f"{title.upper()}S")
    choices = getattr(policies, name)
    assert [row[:3] for row in rows(title)] == [
        [key, choice.meaning, choice.source] for key, choice in choices.items()
    ]


def test_the_page_says_what_a_selection_is_made_from():
    made_from = {row[0]: row[3].split(", ") for row in rows("selection")}
    assert made_from == {key: list(choice.needs) for key, choice in policies.SELECTIONS.items()}


def test_every_policy_is_there():
    assert rows("policy") == [[key, *map(str, fields.values())] for key, fields in policies.POLICIES.items()]
