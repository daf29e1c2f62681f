"""``hired-gguf inspect``: what a mmproj file is, and how many tokens its pictures cost."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..console import option_groups, option_types
from ..console.terminal import printable
from ..errors import BudgetError
from ..model_files.mmproj import MmprojInfo, read_mmproj
from ..native.load import core
from ..reporting import Table
from ..selection.budget import TokenBudget
from ..selection.selection import most_visual_tokens
from ..vision.encoding import tiling_of

BUDGETS = (1.0, 0.4, 0.2, 0.1)
NO_PINPOINTS = "none in the file: each picture is seen whole, as one partition"
EXAMPLES = """\
examples:
  hired-gguf inspect mmproj.gguf
  hired-gguf inspect mmproj.gguf --budget 0.3 --budget 640
"""
LEGEND = """\
grid    canvas that a picture is put on, height x width in pixels
tokens  visual tokens of all partitions (the whole picture and its tiles); a fractional budget is of these
full    tokens that the language model sees with none dropped, for a picture of exactly that size,
        newline tokens included; a number under a budget is the most that it keeps
"""


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "inspect",
        "describe a mmproj file and what its pictures cost",
        "Check a mmproj file, describe it, and show how many visual tokens each budget keeps.\n"
        "Loads no weights.",
        EXAMPLES,
    )
    parser.add_argument(
        "mmproj", metavar="MMPROJ", type=option_types.existing_file, help="the vision file of a pair"
    )
    parser.add_argument(
        "--budget",
        dest="budgets",
        action="append",
        type=option_types.budget,
        metavar="B",
        help="a column of the table: a fraction, or a number of tokens; repeatable "
        f"(default: {' '.join(map(str, BUDGETS))})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Describe the file."""
    info = read_mmproj(args.mmproj)
    budgets = list(dict.fromkeys(args.budgets or BUDGETS))
    grids = [cost(info, size, budgets) for size in info.pinpoints or [(info.image_size, info.image_size)]]
    if args.json:
        print(json.dumps({**facts(info), "grids": grids}))
    else:
        print("\n".join([*describe(info), "", table(grids).as_text(), "", LEGEND]), end="")
    return 0


def cost(info: MmprojInfo, size_hw: tuple[int, int], budgets: list[int | float]) -> dict[str, Any]:
    """Tokens of a picture of that (height, width), and what each budget keeps; None if it does not fit."""
    tiling = tiling_of(info, size_hw)
    return {
        "grid": list(size_hw),
        "partitions": tiling.partitions,
        "tokens": tiling.partitions * tiling.tokens,
        "full": most_visual_tokens(tiling, TokenBudget(1.0)),
        "kept": {str(budget): _kept(tiling, budget) for budget in budgets},
    }


def _kept(tiling: core.Tiling, budget: int | float) -> int | None:
    try:
        return most_visual_tokens(tiling, TokenBudget(budget))
    except BudgetError:  # more tokens than there are, or a fraction of less than one
        return None


def facts(info: MmprojInfo) -> dict[str, Any]:
    """The file's facts for machines."""
    return {
        "path": str(info.path),
        "name": info.name,
        "layers": info.executed_layers,
        "layers_in_file": info.layers,
        "width": info.width,
        "heads": info.heads,
        "tile": info.image_size,
        "patch": info.patch_size,
        "tokens_per_tile": info.tokens,
        "pinpoints": [list(size) for size in info.pinpoints],
        "projector_width": info.text_width,
        "weight_type": info.file_type,
        "parameters": info.parameters,
        "merge_type": "spatial_unpad" if info.unpad else "flat",
        "newline_tensor": info.newline_name,
        "fingerprint": info.fingerprint,
    }


def describe(info: MmprojInfo) -> list[str]:
    """The file's facts for people."""
    known = facts(info)
    rows = {
        "name": known["name"] or "(none)",
        "layers": f"{known['layers']} run, of {known['layers_in_file']} in the file",
        "width": f"{known['width']}, {known['heads']} heads",
        "tile": f"{info.image_size} px: {info.side} x {info.side} patches of {info.patch_size} px, "
        f"{info.tokens} visual tokens",
        "pinpoints": ", ".join(f"{h} x {w}" for h, w in info.pinpoints) or NO_PINPOINTS,
        "projector": f"to width {info.text_width}, which the language model must have",
        "weights": f"{info.file_type}, {info.parameters:,} parameters",
        "merge type": known["merge_type"],
        "newline": known["newline_tensor"] or "none",
        "fingerprint": known["fingerprint"],
    }
    return [printable(str(info.path)), *(f"  {name:<12} {printable(text)}" for name, text in rows.items())]


def table(grids: list[dict[str, Any]]) -> Table:
    """Tokens a grid."""
    names = [name for name in grids[0]["kept"] if name != "1.0"]  # that one is "full"
    rows = []
    for grid in grids:
        kept = ["-" if grid["kept"][name] is None else str(grid["kept"][name]) for name in names]
        counts = [str(grid[key]) for key in ("partitions", "tokens", "full")]
        rows.append(("{} x {}".format(*grid["grid"]), *counts, *kept))
    return Table("", ("grid", "partitions", "tokens", "full", *names), tuple(rows))
