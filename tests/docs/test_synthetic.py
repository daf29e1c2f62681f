"""docs/synthetic.md: its sizes, its commands and its example, against the package."""

from __future__ import annotations

import re
import shlex

import pytest
from documents import blocks, table
from paths import ROOT

from hired_gguf.synthetic.pair_files import pair_bytes, pair_paths
from hired_gguf.synthetic.shapes import SHAPES
from hired_gguf.synthetic.synthesize import build_parser

TEXT = (ROOT / "docs" / "synthetic.md").read_text()
ROWS = table(TEXT.partition("## Shapes")[2].partition("\n## ")[0])
UNITS = {"MB": 1e6, "GB": 1e9}


def test_every_shape_is_in_the_table():
    assert [row[0] for row in ROWS] == [f"`{name}`" for name in SHAPES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_sizes_are_computed(row):
    for cell, quant in zip(row[-2:], ("f32", "q4_0"), strict=True):
        number, unit = cell.split()
        decimals = len(number.partition(".")[2])
        assert float(number) == round(pair_bytes(row[0].strip("`"), quant) / UNITS[unit], decimals)


@pytest.mark.parametrize("row", ROWS[:2], ids=lambda row: row[0])
def test_layers_and_widths_are_the_shapes(row):
    shape = SHAPES[row[0].strip("`")]
    assert row[1] == f"{shape.text.width} wide, {shape.text.layers} layers"
    assert row[2] == f"{shape.vision.image_size} px, {shape.vision.layers} layers"


def test_the_command_writes_the_paths_that_follow_it():
    (command,) = blocks(TEXT, "sh")
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "hired_gguf.synthetic.synthesize"]
    args = build_parser().parse_args(words[3:])
    for path in pair_paths(args.shape, args.out, args.quant):
        assert f"`{path}`" in TEXT


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(TEXT, "python")
    made = {}
    exec(compile(code, "docs/synthetic.md", "exec"), made)
    assert made["text"].stat().st_size + made["mmproj"].stat().st_size > 1e6


def test_the_files_it_names_are_there():
    rows = table(TEXT.partition("## Where what is")[2])
    named = {name for row in rows for name in re.findall(r"`(\w+\.py)`", row[0])}
    folder = ROOT / "hired_gguf" / "synthetic"
    assert named == {path.name for path in folder.glob("*.py")} - {"__init__.py"}
