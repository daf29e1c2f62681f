"""Numbers and names in the pages, computed again or held against the package."""

from __future__ import annotations

import re

import pytest
from documents import TEXTS, section, table
from paths import ROOT

from hired_gguf import LLAVA_NEXT_PINPOINTS, _core
from hired_gguf.native.load import PIN
from hired_gguf.prompt.templates import BUILT_IN

CONTRIBUTING, GPU = TEXTS["CONTRIBUTING.md"], TEXTS["docs/gpu.md"]


def test_padding_example_is_computed():
    tiling = _core.make_tiling((480, 640), LLAVA_NEXT_PINPOINTS, 336, 14, True)
    total = tiling.partitions * tiling.tokens
    assert f"{total - sum(tiling.capacities)} of {total} tokens at 640 x 480" in TEXTS["docs/correctness.md"]


@pytest.mark.parametrize("row", table(section(GPU, "Memory")))
def test_memory_table_is_computed(row):
    name, token, full, fifth = row
    layers = int(re.search(r"(\d+) layers", name)[1])
    width = int(re.search(r"(\d+)\)", name)[1])
    size = 2 * layers * width * 2
    assert token == f"{size // 1024} KiB"
    for cell, tokens in ((full, 2928), (fifth, 576)):
        number, unit = cell.split()
        assert float(number) == round(tokens * size / {"MiB": 2**20, "GiB": 2**30}[unit], 2 * (unit == "GiB"))


def test_templates_are_those_of_the_package():
    assert {row[-1].strip('`"') for row in table(TEXTS["docs/model-files.md"])} == set(BUILT_IN)


def test_pins_of_the_build_are_equal():
    build = (ROOT / "pyproject.toml").read_text()
    assert re.findall(r'"llama-cpp-python==([\d.]+)"', build) == [PIN, PIN]
    for requirement in re.findall(r"(?:scikit-build-core|nanobind)==[\d.]+\d", CONTRIBUTING + GPU):
        assert f'"{requirement}"' in build
