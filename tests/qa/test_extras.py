"""The recipes of docs/qa.md that need further packages, run as they stand."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from golden_pair import NAMES, photo
from paths import ROOT

pytestmark = [pytest.mark.extra, pytest.mark.filterwarnings("ignore")]  # the packages' own warnings

QA = ROOT / "docs" / "qa.md"
NEEDED = "needs the extra 'ray': pip install '.[ray]'"


def recipe(package):
    blocks = re.findall(r"^```py\n(.*?)^```$", QA.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = [code for code in blocks if f"import {package}" in code]
    return compile(found, "qa.md", "exec")


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return [{"image": str(photo(name)), "question": q} for q in ("What?", "Who?") for name in NAMES[:2]]


def test_pandas(llm, tasks):
    pandas = pytest.importorskip("pandas", reason=NEEDED)
    tasks = [
        {**task, "truth": "cat", "max_tokens": limit}
        for task, limit in zip(tasks, (3, None, 4, 5), strict=True)
    ]
    pandas.DataFrame(tasks).to_csv("tasks.csv", index=False)
    names = {"llm": llm}
    exec(recipe("pandas"), names)
    assert list(names["table"].columns)[-4:] == ["max_tokens", "answer", "status", "visual_tokens"]
    assert list(names["table"]["status"]) == ["ok"] * 4
    assert list(names["records"]["completion_tokens"])[::2] == [3, 4]
    read = pandas.read_json("answers.jsonl", lines=True)
    assert list(read["answer"]) == list(names["table"]["answer"])


def test_ray_data(tiny, tasks):
    ray = pytest.importorskip("ray", reason=NEEDED)
    pytest.importorskip("ray.data", reason=NEEDED)
    Path("tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    shutil.copy(tiny[0], "llava.gguf")
    shutil.copy(tiny[1], "mmproj.gguf")
    ray.init(num_cpus=12, include_dashboard=False, log_to_driver=False)
    try:
        exec(recipe("ray"), {"__name__": "__main__"})
    finally:
        ray.shutdown()
    parts = sorted(Path("answers").glob("*.json*"))
    rows = [json.loads(line) for path in parts for line in path.read_text().splitlines()]
    assert {(row["image"], row["question"]) for row in rows} == {(t["image"], t["question"]) for t in tasks}
    assert len(rows) == len(tasks)
    assert all(row["status"] == "ok" and row["answer"] for row in rows)
