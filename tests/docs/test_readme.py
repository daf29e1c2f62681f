"""README: its length, its first screen, its two commands, its numbers."""

from __future__ import annotations

import json
import re
import shlex

from documents import KV_BYTES_7B, TEXTS, blocks, section, table
from paths import ROOT

from hired_gguf import LLAVA_NEXT_PINPOINTS, TokenBudget, _core
from hired_gguf.cli import main
from hired_gguf.selection.policies import ALLOCATIONS, NEWLINES
from hired_gguf.selection.selection import most_visual_tokens

README = TEXTS["README.md"]
BUDGETS = section(README, "Budgets and what they cost")
(RESULTS,) = (ROOT / "benchmarks" / "results").glob("*-7b-q4_0.md")
FIRST_TOKEN = {row[0]: row[7] for row in reversed(table(RESULTS.read_text())) if len(row) > 7}


def test_it_is_short():
    assert len(README) <= 9000


def test_the_first_screen_says_what_it_is():
    screen = "\n".join(README.splitlines()[:60])
    stock, ours = (round(float(FIRST_TOKEN[case]), 1) for case in ("stock", "budget 0.2"))
    assert f"after {ours:g} s in place of {stock:g} s" in screen
    assert "**Status.**" in screen
    assert len(re.findall(r"^!\[", screen, re.MULTILINE)) == 1
    assert len(blocks(screen, "sh")) == 2


def test_quick_start_has_two_commands_of_one_line():
    commands = blocks(section(README, "Quick start"), "sh")
    assert [command.count("\n") for command in commands] == [1, 1]
    assert commands[0].startswith("pip install . && hired-gguf ")
    assert commands[1].startswith("pip install '.[test]' && pytest")


def test_the_first_command_prints_what_is_shown(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    command = blocks(section(README, "Quick start"), "sh")[0].partition("&&")[2]
    (shown,) = blocks(section(README, "Quick start"), "text")
    notice, answer, summary = shown.splitlines()
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr() == (f"{answer}\n", f"{notice}\n")
    assert main([*shlex.split(command)[1:], "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)
    tokens = f"{cost['visual_tokens']} of {cost['visual_tokens_full']} visual tokens"
    assert re.fullmatch(rf"\[{tokens}, first token after [\d.]+ s, then [\d.]+ tokens/s\]", summary)


def test_budget_table_is_computed():
    tiling = _core.make_tiling((672, 672), LLAVA_NEXT_PINPOINTS, 336, 14, True)
    rows = [row for row in table(BUDGETS) if row[2].endswith("MiB")]
    assert [row[0] for row in rows] == ["1.0", "0.4", "0.2", "0.1"]
    for budget, tokens, cache, *_ in rows:
        expected = most_visual_tokens(tiling, TokenBudget(float(budget)))
        assert int(tokens) == expected
        assert cache == f"{round(expected * KV_BYTES_7B / 2**20)} MiB"


def test_budget_table_has_the_seconds_of_the_results():
    for budget, _, _, first, _ in table(BUDGETS)[-4:]:
        assert FIRST_TOKEN[f"budget {budget}"] == first.removesuffix(" s")


def test_names_of_options_are_those_of_the_package():
    assert all(f'`"{name}"`' in README for name in ALLOCATIONS)
    assert set(re.findall(r'newlines="(\w+)"', README)) <= set(NEWLINES)
