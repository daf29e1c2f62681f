"""The Markdown documents, and parts of them."""

from __future__ import annotations

import re

from paths import ROOT

KV_BYTES_7B = 2 * 32 * 4096 * 2  # keys and values, layers, width, float16

#: By path from the root.
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "models/**/*.md", "benchmarks/**/*.md", "tests/golden/*.md")
    for path in ROOT.glob(pattern)
)
#: Written by commands, or records of what one wrote.
REPORTS = [name for name in DOCUMENTS if name == "models/evaluation.md" or "/results/" in name]
TEXTS = {name: (ROOT / name).read_text() for name in DOCUMENTS}


def blocks(text, *languages):
    """Bodies of the fenced blocks in one of the languages; "" is a block without."""
    fences = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [body for language, body in fences if language in languages]


def prose(text):
    """The text without fenced blocks and tables."""
    text = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("|"))


def section(text, title):
    """What stands under a second-level heading."""
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]


def table(text):
    """Rows of the tables, header and rule left out, as lists of cells."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not set("".join(row)) <= set("-| ")][1:]


def paths(text):
    """What a text in backticks names, if it looks like a path of the repository."""
    return re.findall(r"`((?:\w[\w.-]*/)+[\w.*-]*)`", text)
