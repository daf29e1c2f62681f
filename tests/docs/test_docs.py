"""The documents say what is true: commands, numbers, names and links are held against the package."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import shutil

import pytest
from documents import KV_BYTES_7B, blocks, table
from paths import ROOT

import hired_gguf
from hired_gguf import LLAVA_NEXT_PINPOINTS, TokenBudget, _core
from hired_gguf.cli import build_parser
from hired_gguf.model import ModelOptions
from hired_gguf.model_files.builtin import default_model
from hired_gguf.native.load import PIN
from hired_gguf.prompt.templates import BUILT_IN
from hired_gguf.selection.policies import ALLOCATIONS, NEWLINES
from hired_gguf.selection.selection import most_visual_tokens

PICTURE = ROOT / "tests" / "golden" / "hf_tiny" / "coffee.png"
DOCUMENTS = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "models/README.md"),
    *("docs/gpu.md", "docs/performance.md", "docs/options.md", "docs/explain.md", "docs/evaluation.md"),
    "docs/qa.md",
    "benchmarks/README.md",
    *("docs/synthetic.md", "models/train/README.md"),
]
TEXTS = {name: (ROOT / name).read_text() for name in DOCUMENTS}
README, CONTRIBUTING, GPU = TEXTS["README.md"], TEXTS["CONTRIBUTING.md"], TEXTS["docs/gpu.md"]


def section(title):
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)[1]


def command_lines():
    """Every `hired-gguf ...` of the documents, after `&&` too."""
    bodies = [body for text in TEXTS.values() for body in blocks(text, "sh", "")]
    parts = [part.strip() for body in bodies for part in re.split(r"&&|\n", body)]
    return [part for part in parts if part.startswith("hired-gguf ")]


PYTHON = [
    code for name in ("README.md", "docs/qa.md", "docs/explain.md") for code in blocks(TEXTS[name], "python")
]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder with the files that the examples name."""
    text, mmproj = default_model()
    shutil.copy(text, tmp_path / "llava.gguf")
    shutil.copy(mmproj, tmp_path / "mmproj.gguf")
    shutil.copy(PICTURE, tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_is_short():
    assert len(README.splitlines()) <= 150


def test_quick_start_has_two_commands_of_one_line():
    commands = blocks(section("Quick start"), "sh")
    assert [command.count("\n") for command in commands] == [1, 1]
    assert commands[0].startswith("pip install . && hired-gguf ")
    assert commands[1].startswith("pip install '.[test]' && pytest")


@pytest.mark.parametrize("command", command_lines())
def test_command_lines_parse(command, reader):
    arguments = build_parser().parse_args(shlex.split(command)[1:])
    assert callable(arguments.run)


def test_first_command_names_a_picture_of_the_repository():
    command = blocks(section("Quick start"), "sh")[0].partition("&&")[2]
    assert (ROOT / build_parser().parse_args(shlex.split(command)[1:]).image).is_file()


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_run(code, reader, capsys):
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_name_what_exists(code):
    """Also the keyword arguments: a `**options` would swallow a wrong one."""
    nodes = list(ast.walk(ast.parse(code)))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "hired_gguf"]
    assert {alias.name for node in imports for alias in node.names} <= set(hired_gguf.__all__)
    for call in (node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        known = getattr(hired_gguf, call.func.id, None)
        named = {keyword.arg for keyword in call.keywords}
        assert known is None or named <= {*inspect.signature(known).parameters, *ModelOptions.__annotations__}


def test_budget_table_is_computed():
    tiling = _core.make_tiling((672, 672), LLAVA_NEXT_PINPOINTS, 336, 14, True)
    rows = [row for row in table(section("Budgets and what they cost")) if row[2].endswith("MiB")]
    assert [row[0] for row in rows] == ["1.0", "0.4", "0.2", "0.1"]
    for budget, tokens, cache, *_ in rows:
        expected = most_visual_tokens(tiling, TokenBudget(float(budget)))
        assert int(tokens) == expected
        assert cache == f"{round(expected * KV_BYTES_7B / 2**20)} MiB"


def test_budget_table_has_the_seconds_of_the_results():
    (results,) = (ROOT / "benchmarks" / "results").glob("*-7b-q4_0.md")
    firsts = {row[0]: row for row in reversed(table(results.read_text())) if row[0].startswith("budget ")}
    for budget, _, _, first, _ in table(section("Budgets and what they cost"))[-4:]:
        assert firsts[f"budget {budget}"][7] == first.removesuffix(" s")


def test_padding_example_is_computed():
    tiling = _core.make_tiling((480, 640), LLAVA_NEXT_PINPOINTS, 336, 14, True)
    total = tiling.partitions * tiling.tokens
    assert f"{total - sum(tiling.capacities)} of {total} tokens at 640 x 480" in README


@pytest.mark.parametrize("row", table(GPU.partition("## Memory")[2]))
def test_memory_table_is_computed(row):
    name, token, full, fifth = row
    layers = int(re.search(r"(\d+) layers", name)[1])
    width = int(re.search(r"(\d+)\)", name)[1])
    size = 2 * layers * width * 2
    assert token == f"{size // 1024} KiB"
    for cell, tokens in ((full, 2928), (fifth, 576)):
        number, unit = cell.split()
        assert float(number) == round(tokens * size / {"MiB": 2**20, "GiB": 2**30}[unit], 2 * (unit == "GiB"))


def test_names_of_options_are_those_of_the_package():
    assert all(f'`"{name}"`' in README for name in ALLOCATIONS)
    assert set(re.findall(r'newlines="(\w+)"', README)) <= set(NEWLINES)
    named = {row[-1].strip('`"') for row in table(section("Which model files work"))}
    assert named == set(BUILT_IN)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    document = ROOT / name
    targets = re.findall(r"\]\(([^)\s]+)\)", TEXTS[name])
    for target in (target for target in targets if "://" not in target):
        path, _, anchor = target.partition("#")
        file = document.parent / path if path else document
        assert file.exists(), target
        titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE) if anchor else []
        anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
        assert not anchor or anchor in anchors, target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_versions_are_the_pin(name):
    assert set(re.findall(r"llama-cpp-python(?:==| )(\d+\.\d+\.\d+)", TEXTS[name])) <= {PIN}


def test_pins_of_the_build_are_equal():
    build = (ROOT / "pyproject.toml").read_text()
    assert re.findall(r'"llama-cpp-python==([\d.]+)"', build) == [PIN, PIN]
    for requirement in re.findall(r"(?:scikit-build-core|nanobind)==[\d.]+\d", CONTRIBUTING + GPU):
        assert f'"{requirement}"' in build


def test_map_names_what_is_there():
    rows = table(CONTRIBUTING.partition("## Map")[2].partition("\n## ")[0])
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row[0])]
    assert len(named) > 30
    for name in named:
        assert list(ROOT.glob(name.rstrip("/"))), name


def test_map_names_every_package():
    for folder in (ROOT / "hired_gguf").iterdir():
        if (folder / "__init__.py").is_file():
            assert f"`hired_gguf/{folder.name}/" in CONTRIBUTING, folder.name
