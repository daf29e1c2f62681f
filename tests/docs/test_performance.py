"""The arithmetic of docs/performance.md, done again."""

from __future__ import annotations

import re

import pytest
from documents import KV_BYTES_7B, TEXTS, table

from hired_gguf import LLAVA_NEXT_PINPOINTS, TokenBudget, _core
from hired_gguf.selection.selection import most_visual_tokens

TEXT = TEXTS["docs/performance.md"]
FLAT = " ".join(TEXT.split())  # sentences go over the ends of lines
OTHER_TOKENS = 400  # template, question and answer, as the document says
FULL = {"VQAv2": 80.3, "TextVQA": 64.8, "POPE": 87.6, "OCRBench": 501, "DocVQA": 73.4, "ChartQA": 54.8}

# Of the estimate: GFLOP a token of a 7B and a tile of CLIP-L/14-336 with its projector; tokens a second.
TOKEN = 2 * 32 * (4 * 4096**2 + 3 * 4096 * 11008) / 1e9
TILE = 2 * 577 * 23 * (4 * 1024**2 + 2 * 1024 * 4096) + 4 * 577**2 * 1024 * 23
TILE = (TILE + 2 * 576 * 1024 * (3 * 14 * 14 + 4096 + 4096**2 // 1024)) / 1e9
FAST, SLOW = 935, 583
PAPER = {"1.0": 19.49, "0.4": 6.91, "0.2": 4.21}
KEPT = {"1.0": 2928, "0.4": 1152, "0.2": 576}


def rows(header):
    """The table whose first line starts so."""
    found = re.search(rf"^\| {re.escape(header)}.*?(?=\n\n)", TEXT, re.MULTILINE | re.DOTALL)
    return table(found[0])


def tiling(width, height):
    return _core.make_tiling((height, width), LLAVA_NEXT_PINPOINTS, 336, 14, True)


def ttft(tokens):
    """Seconds, least and most."""
    encode = 5 * TILE / (TOKEN * FAST)
    return [share * encode + (tokens + 60) / rate for share, rate in ((1, FAST), (3, SLOW))]


def test_shares_of_accuracy():
    names = list(FULL)
    for row in rows("budget | VQAv2")[1:]:
        for name, cell in zip(names, row[1:], strict=False):
            score, share = re.fullmatch(r"([\d.]+) \((\d+) %\)", cell).groups()
            assert round(float(score) / FULL[name] * 100) == int(share)


@pytest.mark.parametrize("row", rows("picture, width"), ids=lambda row: row[0])
def test_tokens_by_shape(row):
    cut = tiling(*map(int, row[0].split(" x ")))
    kept = [most_visual_tokens(cut, TokenBudget(budget)) for budget in (0.2, 0.4, 640)]
    assert list(map(int, row[1:])) == [cut.partitions, cut.partitions * cut.tokens, *kept]


@pytest.mark.parametrize("row", rows("budget | visual tokens | `n_ctx`"), ids=lambda row: row[0])
def test_context_table(row):
    budget, tokens, n_ctx, cache = row
    assert int(tokens) == most_visual_tokens(tiling(672, 672), TokenBudget(float(budget)))
    assert int(n_ctx) == -(-(int(tokens) + OTHER_TOKENS) // 256) * 256
    assert cache == f"{int(n_ctx) * KV_BYTES_7B // 2**20} MiB"


def test_parts_of_the_estimate():
    assert f"5 x {TILE:.0f} GFLOP" in FLAT
    assert f"{TOKEN * FAST / 1000:.1f} TFLOP/s ({TOKEN:.0f} GFLOP a token)" in FLAT
    steps = {row[0]: row[2] for row in rows("step | arithmetic")}
    encode = 5 * TILE / (TOKEN * FAST)
    assert steps.pop("encoding 5 partitions") == f"{encode:.1f} to {3 * encode:.1f}"
    assert steps.pop("template and question, 60 tokens") == f"{60 / FAST:.1f}" == f"{60 / SLOW:.1f}"
    for name, seconds in steps.items():
        tokens = int(re.search(r"(\d+) tokens", name)[1])
        assert seconds == f"{tokens / FAST:.1f} to {tokens / SLOW:.1f}"


@pytest.mark.parametrize("row", rows("budget | estimate here"), ids=lambda row: row[0])
def test_estimate(row):
    budget, estimate, paper, ratio = row
    low, high = ttft(KEPT[budget])
    assert estimate == f"{low:.1f} to {high:.1f} s"
    assert paper == f"{PAPER[budget]} s"
    assert ratio == f"{PAPER[budget] / high:.1f} to {PAPER[budget] / low:.1f}"


def test_gain_of_a_small_budget():
    low, high = (full / fifth for full, fifth in zip(ttft(2928), ttft(576), strict=True))
    assert f"{high:.1f} to {low:.1f} times as fast" in FLAT
    paper = (PAPER["1.0"] - PAPER["0.2"]) / (2880 - 576)
    assert f"= {paper * 1000:.1f} ms: about {1 / paper:.0f}" in FLAT
