"""The documents' commands parse and their Python runs."""

from __future__ import annotations

import ast
import inspect
import re
import shlex

import pytest
from documents import REPORTS, TEXTS, blocks
from paths import ROOT

import hired_gguf
from hired_gguf.cli import build_parser
from hired_gguf.model import ModelOptions
from hired_gguf.model_files.builtin import default_model

PICTURE = ROOT / "tests" / "golden" / "hf_tiny" / "coffee.png"
WRITTEN = {name: text for name, text in TEXTS.items() if name not in REPORTS}
PYTHON = [code for text in WRITTEN.values() for code in blocks(text, "python")]


def command_lines():
    """Every `hired-gguf ...` of the documents, after `&&` too."""
    bodies = [body for text in WRITTEN.values() for body in blocks(text, "sh", "")]
    parts = [part.strip() for body in bodies for part in re.split(r"&&|\n", body)]
    return [part for part in parts if part.startswith("hired-gguf ")]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder with the files that the examples name."""
    for name, file in zip(("llava.gguf", "mmproj.gguf"), default_model(), strict=True):
        (tmp_path / name).symlink_to(file)
    (tmp_path / "photo.jpg").symlink_to(PICTURE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", command_lines())
def test_command_lines_parse(command, reader):
    arguments = build_parser().parse_args(shlex.split(command)[1:])
    assert callable(arguments.run)


@pytest.mark.slow
@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_run(code, reader, capsys):
    exec(compile(code, "example", "exec"), {})


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
