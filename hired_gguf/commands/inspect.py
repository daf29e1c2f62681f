"""``hired-gguf inspect``: what the files of a pair are, and how many tokens its pictures cost."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..console import option_groups, option_types
from ..console.terminal import printable
from ..console.usage import UsageError
from ..errors import BudgetError
from ..model_files.mmproj import MmprojInfo, read_mmproj
from ..model_files.pair import check_pair
from ..native.load import core
from ..reporting import Table
from ..selection.budget import TokenBudget
from ..selection.selection import most_visual_tokens
from ..vision.encoding import tiling_of
from .inspect_text import describe_text, text_facts

BUDGETS = (1.0, 0.4, 0.2, 0.1)
NO_PINPOINTS = "none in the file: each picture is seen whole, as one partition"
EXAMPLES = """\
examples:
  hired-gguf inspect mmproj.gguf
  hired-gguf inspect mmproj.gguf --model llava.gguf
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
        "Of a language model, tell which chat template it gets, and why. Loads no weights.",
        EXAMPLES,
    )
    parser.add_argument(
        "mmproj",
        metavar="MMPROJ",
        nargs="?",
        type=option_types.existing_file,
        help="the vision file of a pair",
    )
    parser.add_argument(
        "--model", metavar="FILE", type=option_types.existing_file, help="the language model of a pair"
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
    """Describe the file, or both."""
    if args.mmproj is None and args.model is None:
        raise UsageError("give a mmproj file, a language model with --model, or both")
    model = None if args.model is None else text_facts(args.model)
    if args.mmproj is None:
        print(json.dumps(model) if args.json else "\n".join(describe_text(model or {})))
        return 0
    info = read_mmproj(args.mmproj)
    if model is not None:
        check_pair(info, model["width"], args.model)
    budgets = list(dict.fromkeys(args.budgets or BUDGETS))
    grids = [cost(info, size, budgets) for size in info.pinpoints or [(info.image_size, info.image_size)]]
    if args.json:
        print(json.dumps({**facts(info), "grids": grids, **({} if model is None else {"model": model})}))
    else:
        beside = [] if model is None else ["", *describe_text(model)]
        print("\n".join([*describe(info), *beside, "", table(grids).as_text(), "", LEGEND]), end="")
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
