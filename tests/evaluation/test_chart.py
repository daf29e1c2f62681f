"""The chart of accuracy over visual tokens."""

from __future__ import annotations

from hired_gguf.evaluation import chart, one_at_a_time


def test_policies_of_the_chart_can_be_told_apart():
    policies = {c.policy for c in one_at_a_time() if not c.full and c.selection != "none"}
    assert len(policies) == 16
    assert len({chart.style(i) for i in range(40)}) == 40


def point(**changes):
    share = {"share": 0.5, "low": 0.4, "high": 0.6}
    basis = {"budget": 0.2, "policy": "hired, cls", "selection": "cls", "full": False, "visual_tokens": 20.0}
    basis["newlines"] = "auto"
    return {**basis, "all": share, **changes}


def test_chart_lines_end_with_all_tokens():
    full = point(budget=1.0, full=True, visual_tokens=100.0)
    lots = point(policy="hired, random", selection="random")
    alone = point(policy="uniform, cls")
    points = [
        full,
        point(),
        point(budget=0.4, visual_tokens=40.0),
        lots,
        {**lots, "visual_tokens": 10.0},
        alone,
    ]
    found = chart.lines([*points, point(policy="no picture", selection="none")])
    assert {policy: [p["visual_tokens"] for p in line] for policy, line in found.items()} == {
        "hired, cls": [20, 40, 100],
        "hired, random": [10, 20, 100],
        "uniform, cls": [20],
    }
    kept = point(budget=1.0, full=True, newlines="keep", visual_tokens=104.0)
    pair = [point(newlines="keep"), point(newlines="keep", visual_tokens=40.0)]
    assert chart.lines([full, kept, *pair])["hired, cls"][-1] is kept
    assert chart.lines([full]) == {"all tokens": [full]}
    assert chart.lines([]) == {}


def test_chart_without_a_picture_is_drawn(tmp_path):
    document = {"model": ["m.gguf"], "questions": 1, "pictures": 1}
    only = point(policy="no picture", selection="none")
    chart.draw({**document, "configurations": [only]}, tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 1000
