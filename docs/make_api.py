"""The public names, from their docstrings: a page of one line each, and all of it as HTML.

python docs/make_api.py    # writes docs/api.md and build/api/index.html; needs pip install '.[docs]'
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pdoc

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
HTML = ROOT / "build" / "api"
PACKAGES = ("hired_gguf", "hired_gguf.evaluation")
HEAD = """\
# The public names

These names are public, and so is the command `hired-gguf`. Everything else may change without notice.

`python docs/make_api.py` makes this page from the docstrings, and a test compares the two. It also writes the
whole docstrings to `build/api/index.html`. It needs `pip install '.[docs]'`.
"""


def main() -> None:
    """Write the page and the HTML."""
    PAGE.write_text(page())
    write_html(HTML)
    print(PAGE, HTML / "index.html", sep="\n")


def write_html(folder: Path) -> None:
    """The whole docstrings of the public names, by pdoc."""
    pdoc.pdoc(*PACKAGES, output_directory=folder)


def page() -> str:
    """docs/api.md."""
    return "\n".join([HEAD, *map(section, PACKAGES)])


def section(package: str) -> str:
    """The names of a package, by kind."""
    module = pdoc.doc.Module(importlib.import_module(package))
    members = [module.members[name] for name in importlib.import_module(package).__all__]
    kinds = {
        "Classes": [one for one in members if isinstance(one, pdoc.doc.Class) and not is_error(one)],
        "Functions": [one for one in members if isinstance(one, pdoc.doc.Function)],
        "Constants": [one for one in members if isinstance(one, pdoc.doc.Variable)],
        "Errors": [one for one in members if isinstance(one, pdoc.doc.Class) and is_error(one)],
    }
    tables = [f"### {kind}\n\n{table(found)}\n" for kind, found in kinds.items() if found]
    return "\n".join([f"## `{package}`\n", *tables])


def is_error(one: pdoc.doc.Class) -> bool:
    """Whether a class is an exception."""
    return issubclass(one.obj, BaseException)


def table(members: list[pdoc.doc.Doc]) -> str:
    """A row for each name, and below a class for each public attribute that has a docstring."""
    rows = ["| name | |", "|---|---|"]
    for one in members:
        rows.append(f"| `{one.name}` | {summary(one)} |")
        rows += [f"| `{one.name}.{part.name}` | {summary(part)} |" for part in parts(one)]
    return "\n".join(rows)


def parts(one: pdoc.doc.Doc) -> list[pdoc.doc.Doc]:
    """The attributes of a class that its users need."""
    found = one.members.values() if isinstance(one, pdoc.doc.Class) else []
    ours = [part for part in found if part.taken_from[0].startswith("hired_gguf")]
    return [part for part in ours if not part.name.startswith("_") and part.docstring]


def summary(one: pdoc.doc.Doc) -> str:
    """The first sentence of a docstring, on one line."""
    text = " ".join((one.docstring or constant(one.name)).partition("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z`])", text)[0].replace("|", "\\|")


def constant(name: str) -> str:
    """The docstring below an assignment, in whichever module it stands: an import leaves it behind."""
    loaded = [module for at, module in sorted(sys.modules.items()) if at.startswith("hired_gguf.")]
    modules = [module for module in loaded if str(getattr(module, "__file__", "")).endswith(".py")]
    found = (pdoc.doc.Module(module).get(name) for module in modules)
    return next((one.docstring for one in found if one and one.docstring), "")


if __name__ == "__main__":
    main()
