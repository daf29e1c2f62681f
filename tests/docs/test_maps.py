"""The maps name what is there: CONTRIBUTING's table, the architecture page and its drawing."""

from __future__ import annotations

import re
import runpy
import xml.etree.ElementTree as ET

import pytest
from documents import TEXTS, blocks, paths, section, table
from paths import ROOT

ARCHITECTURE = TEXTS["docs/architecture.md"]
MAP = table(section(TEXTS["CONTRIBUTING.md"], "Map"))
DRAWING = ROOT / "docs" / "pictures" / "layers.svg"
PACKAGES = sorted(path.parent.name for path in (ROOT / "hired_gguf").glob("*/__init__.py"))


def is_there(name):
    """From the root, from the package, or from a package's folder of tests."""
    return any(list(folder.glob(name.rstrip("/"))) for folder in (ROOT, ROOT / "hired_gguf"))


def test_the_map_names_what_is_there():
    named = [name for row in MAP for name in re.findall(r"`([^`]+)`", row[0])]
    assert len(named) > 20
    assert [name for name in named if not is_there(name)] == []


def test_the_map_names_every_package():
    named = {name for row in MAP for name in re.findall(r"`hired_gguf/(\w+)", row[0])}
    assert set(PACKAGES) <= named


def test_the_architecture_page_names_what_is_there():
    named = [name for name in paths(ARCHITECTURE) if "<" not in name]
    assert len(named) > 10
    assert [name for name in named if not is_there(name)] == []


def test_the_architecture_page_has_the_order_of_the_layers():
    (order,) = blocks(section(ARCHITECTURE, "The order of the layers"), "text")
    assert tuple(order.split()) == runpy.run_path(str(ROOT / "tests" / "test_layers.py"))["LAYERS"]


@pytest.fixture
def drawn():
    """Texts of the drawing."""
    return [text for text in ET.parse(DRAWING).getroot().itertext() if text.strip()]


def test_the_drawing_names_what_is_there(drawn):
    named = [
        name for text in drawn for name in re.findall(r"(?:[a-z_]+/)+(?:[a-z_]+\.py)?|\b[a-z_]+\.py", text)
    ]
    assert len(named) > 15
    assert [name for name in named if not is_there(name)] == []


def test_the_drawing_has_the_steps_of_the_page_in_order(drawn):
    steps = re.findall(r"^\d\. \*\*`([^`]+)`\*\*", ARCHITECTURE, re.MULTILINE)
    boxes = [text for text in drawn if text in steps]
    assert boxes == steps
    assert len(steps) == 6
