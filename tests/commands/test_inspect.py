"""`hired-gguf inspect`: the facts of a mmproj as a table and as JSON."""

from __future__ import annotations

import json

from golden_pair import MMPROJ


def test_inspect_table(run):
    code, out, err = run("inspect", MMPROJ)
    assert (code, err) == (0, "")
    assert "3 run, of 3 in the file" in out
    assert "spatial_unpad" in out
    rows = [line.split() for line in out.splitlines() if " x " in line and line.split()[-1].isdecimal()]
    assert ["112", "x", "112", "5", "80", "88", "32", "16", "8"] in rows


def test_inspect_json_agrees_with_an_answer(run):
    facts = json.loads(run("inspect", MMPROJ, "--json", "--budget", "0.5", "--budget", "70")[1])
    assert (facts["heads"], facts["tile"], facts["patch"], facts["projector_width"]) == (4, 56, 14, 128)
    first, third = facts["grids"][0], facts["grids"][2]
    assert first == {
        "grid": [56, 112],
        "partitions": 3,
        "tokens": 48,
        "full": 52,
        "kept": {"0.5": 24, "70": None},
    }
    assert third["kept"] == {"0.5": 40, "70": 70}
