"""Imports inside hired_gguf run one way: every one, by `ast`, against the order of the layers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hired_gguf"

#: From low to high; a module imports its own layer and those before it. docs/architecture.md draws them.
LAYERS = (
    *("errors", "closing", "progress", "files", "reporting", "model_files", "synthetic", "native"),
    *("selection", "images", "vision", "context", "prompt", "explain", "chat", "qa", "model", "console"),
    *("bench", "scenes", "evaluation", "commands", "cli", "__main__", "__init__"),
)
COMPILED = "_core"  # below all: native.load alone hands it out


def name_of(path):
    """("vision", "encoder") for hired_gguf/vision/encoder.py; a package's __init__ has its package's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(source, importer, is_package=False):
    """Modules of hired_gguf that a source imports anywhere in it, as names like those of `name_of`."""
    home = ("hired_gguf", *importer) if is_package else ("hired_gguf", *importer)[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = home[: len(home) - node.level + 1] if node.level else ()
            base = (*start, *(node.module.split(".") if node.module else ()))
            names = [(*base, alias.name) for alias in node.names]
        else:
            continue
        yield from (name[1:] for name in names if name[0] == "hired_gguf")


def target(name):
    """The module that an imported name is or stands in; ("__init__",) for a name of the package itself."""
    if name[:1] == (COMPILED,):
        return (COMPILED,)
    return next((name[:n] for n in range(len(name), 0, -1) if name[:n] in MODULES), ("__init__",))


def upward(source, importer, is_package=False):
    """The imports of a source that do not run down."""
    rank = LAYERS.index(importer[0])
    found = {target(name) for name in imports_of(source, importer, is_package)} - {(COMPILED,)}
    return {".".join(name) for name in found if LAYERS.index(name[0]) > rank}


def test_every_layer_is_in_the_order_and_there():
    assert {name[0] for name in MODULES} <= set(LAYERS)
    assert set(LAYERS) <= {name[0] for name in MODULES} | {"__init__"}


@pytest.mark.parametrize("name", MODULES, ids=".".join)
def test_imports_run_down(name):
    path = MODULES[name]
    assert upward(path.read_text(), name, path.name == "__init__.py" and name != ("__init__",)) == set()


@pytest.mark.parametrize(
    ("source", "importer"),
    [
        ("from ..chat.answer import Answer", ("selection", "budget")),
        ("from .. import model", ("vision", "encoder")),
        ("from .. import LlavaNext", ("vision", "encoder")),
        ("import hired_gguf.qa.batch", ("context", "run")),
        ("from hired_gguf import commands", ("qa", "batch")),
        (
            "def late():\n    from ..console.terminal import say",
            ("prompt", "tokens"),
        ),
    ],
)
def test_an_upward_import_is_found(source, importer):
    assert upward(source, importer)


def test_modules_of_a_layer_import_each_other_in_no_circle():
    graph = {
        name: {target(found) for found in imports_of(path.read_text(), name, path.name == "__init__.py")}
        for name, path in MODULES.items()
        if name != ("__init__",)
    }
    done, under_way = set(), []

    def visit(name):
        assert name not in under_way, f"a circle: {[*under_way, name]}"
        if name in graph and name not in done:
            under_way.append(name)
            for other in sorted(graph[name] - {name}):
                visit(other)
            under_way.pop()
            done.add(name)

    for name in graph:
        visit(name)


def test_the_compiled_module_is_handed_out_by_the_loader_alone():
    users = [name for name, path in MODULES.items() if (COMPILED,) in imports_of_module(name, path)]
    assert users == [("native", "load")]


def imports_of_module(name, path):
    return {target(found) for found in imports_of(path.read_text(), name, path.name == "__init__.py")}


def test_few_modules_lie_directly_in_the_package():
    assert len(list(PACKAGE.glob("*.py"))) <= 10
