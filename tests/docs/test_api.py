"""docs/api.md is what docs/make_api.py makes of the docstrings, and pdoc can make HTML of all of them."""

from __future__ import annotations

import importlib
import re
import runpy

import pytest
from documents import TEXTS
from paths import ROOT

MAKE_API = runpy.run_path(str(ROOT / "docs" / "make_api.py"))
PAGE = TEXTS["docs/api.md"]
NAMES = [
    (package, name) for package in MAKE_API["PACKAGES"] for name in importlib.import_module(package).__all__
]


def test_the_page_is_what_the_docstrings_say():
    assert MAKE_API["page"]() == PAGE, "run: python docs/make_api.py"


@pytest.mark.parametrize(("package", "name"), NAMES, ids=".".join)
def test_a_public_name_has_a_docstring_and_a_row(package, name):
    part = PAGE.partition(f"\n## `{package}`\n")[2].partition("\n## ")[0]
    assert re.search(rf"^\| `{name}` \| .*\w", part, re.MULTILINE)


def test_the_html_has_every_public_name(tmp_path):
    MAKE_API["write_html"](tmp_path)
    for package, name in NAMES:
        html = tmp_path.joinpath(*package.split(".")).with_suffix(".html").read_text()
        assert f'id="{name}"' in html, name
