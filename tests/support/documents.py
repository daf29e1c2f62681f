"""Parts of the Markdown documents."""

from __future__ import annotations

import re

KV_BYTES_7B = 2 * 32 * 4096 * 2  # keys and values, layers, width, float16


def blocks(text, *languages):
    """Bodies of the fenced blocks in one of the languages; "" is a block without."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [body for language, body in fences if language in languages]


def table(text):
    """Rows of the tables, header and rule left out, as lists of cells."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows if not set("".join(row)) <= set("-| ")][1:]
