"""The chart of a benchmark."""

from __future__ import annotations

import sys

import pytest
from bench_runs import a_document, a_run

from hired_gguf.bench import chart
from hired_gguf.bench.plan import FIRST
from hired_gguf.errors import HiredError


def test_chart_bars_stack_up_to_the_answer():
    rows = chart.bars([a_run(), a_run("stock", total_s=50.0), a_run(question=2)], FIRST)
    assert list(rows) == ["q4_0 budget 0.2", "q4_0 stock"]
    assert sum(rows["q4_0 stock"].values()) == pytest.approx(50.0)
    assert rows["q4_0 budget 0.2"]["rest_s"] == pytest.approx(1.0)


def test_chart_without_runs_or_matplotlib(tmp_path, monkeypatch):
    with pytest.raises(HiredError, match="nothing to draw"):
        chart.draw(a_document(), tmp_path / "a.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(HiredError, match=r"a chart needs matplotlib .*pip install 'matplotlib>=3.8'"):
        chart.require_matplotlib()
