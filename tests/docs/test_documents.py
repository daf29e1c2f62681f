"""What holds for every document: lines, links, versions, words, and the index."""

from __future__ import annotations

import re

import pytest
from documents import DOCUMENTS, REPORTS, TEXTS, paths, prose
from paths import ROOT

from hired_gguf.native.load import PIN

LONGEST = 120  # characters of a line of prose
RIDDLES = r"\bby lot\b|\blots\b|\bcomes? there\b|\bsomebody\b|slips? of the pen"
WRITTEN = [name for name in DOCUMENTS if name not in REPORTS]


def without_links(line):
    """A link that stands alone may be as long as it is."""
    return "" if re.fullmatch(r"[\s(!]*\[[^\]]*\]\([^)]*\)[).,;:]*", line) else line


def anchors(text):
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", WRITTEN)
def test_lines_are_short(name):
    assert [line for line in prose(TEXTS[name]).splitlines() if len(without_links(line)) > LONGEST] == []


@pytest.mark.parametrize("name", WRITTEN)
def test_no_riddles(name):
    rule = '(not "by lot")'  # CONTRIBUTING's, which names one
    assert re.findall(RIDDLES, " ".join(TEXTS[name].replace(rule, "").split()), re.IGNORECASE) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    document = ROOT / name
    targets = re.findall(r"\]\(([^)\s]+)\)", TEXTS[name])
    for target in (target for target in targets if "://" not in target):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_versions_are_the_pin(name):
    assert set(re.findall(r"llama-cpp-python(?:==| )(\d+\.\d+\.\d+)", TEXTS[name])) <= {PIN}


def test_the_index_has_every_page():
    listed = re.findall(r"^- \[[^\]]*\]\(([^)]+)\): \S", TEXTS["docs/README.md"], re.MULTILINE)
    pages = {name.removeprefix("docs/") for name in DOCUMENTS if name.startswith("docs/")} - {"README.md"}
    assert pages <= set(listed)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "CHANGELOG.md"])  # it names what was
def test_paths_of_the_repository_are_there(name):
    folders = ("hired_gguf/", "cpp/", "bindings/", "models/", "tests/", "docs/", "benchmarks/", "cmake/")
    named = [path for path in paths(TEXTS[name]) if path.startswith(folders)]
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/")))] == []
