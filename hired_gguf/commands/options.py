"""Options that several commands share, and the model that they describe."""

from __future__ import annotations

import argparse
import os
import secrets
from typing import Any

from ..config import ALLOCATIONS, NEWLINES
from ..templates import BUILT_IN
from . import values

MOST = 2**31 - 1


def new_parser(
    commands: Any, name: str, help: str, description: str, example: str
) -> argparse.ArgumentParser:
    """A subcommand with ``-v`` and an example under its help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="show llama.cpp's log; -vv also where an error arose",
    )
    return parser


def add_pair_options(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """The pair of files. Returns the group for further options."""
    group = parser.add_argument_group("model", "a LLaVA-1.5 or LLaVA-Next model is two GGUF files")
    for name, what in (("model", "language model"), ("mmproj", "vision encoder and projector")):
        variable = f"HIRED_GGUF_{name.upper()}"
        group.add_argument(
            f"--{name}",
            type=values.existing_file,
            default=os.environ.get(variable) or None,
            metavar="FILE",
            help=f"{what} (default: ${variable})",
        )
    return group


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """The pair of files, and how to run them."""
    add = add_pair_options(parser).add_argument
    add(
        "--n-ctx",
        type=values.number(int, 1, 2**20),
        default=4096,
        metavar="TOKENS",
        help="context size: question, visual tokens and answer (default: %(default)s)",
    )
    add(
        "--gpu-layers",
        type=values.number(int, -1, MOST),
        default=-1,
        metavar="N",
        help="layers of the language model on the GPU, -1 for all (default: %(default)s)",
    )
    add(
        "--threads",
        type=values.number(int, 1, 512),
        metavar="N",
        help="CPU threads (default: by the CPU's cores)",
    )
    add(
        "--device",
        type=values.device,
        default="auto",
        metavar="NAME",
        help="of the vision encoder: auto, cpu, gpu, or a name that 'doctor' lists (default: %(default)s)",
    )
    add(
        "--flash-attention",
        choices=("auto", "on", "off"),
        default="auto",
        help="in the vision encoder (default: %(default)s)",
    )


def add_budget_options(parser: argparse.ArgumentParser) -> None:
    """How many visual tokens stay, and which."""
    group = parser.add_argument_group("visual tokens", "fewer are faster; the most attended ones stay")
    add = group.add_argument
    add(
        "--budget",
        type=values.budget,
        default=0.2,
        metavar="B",
        help="a fraction of all visual tokens (1.0 is all), or their number, as 640 (default: %(default)s)",
    )
    add(
        "--alpha",
        type=values.number(float, 0, 1),
        default=0.5,
        metavar="A",
        help="the whole picture's share of the budget, 0 to 1; its tiles get the rest (default: %(default)s)",
    )
    add(
        "--allocation",
        choices=ALLOCATIONS,
        default="hired",
        help="how tiles share: by attention as in the paper, as the authors' released code does, "
        "or evenly (default: %(default)s)",
    )
    add(
        "--newlines",
        choices=NEWLINES,
        default="auto",
        help="the row-end tokens of LLaVA-Next; auto keeps them only at a full budget (default: %(default)s)",
    )


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Prompt and sampling."""
    group = parser.add_argument_group("answer")
    add = group.add_argument
    add("--system", metavar="TEXT", help="system prompt (default: the template's own)")
    add("--template", choices=tuple(BUILT_IN), help="chat template (default: the model's own, else vicuna)")
    add(
        "--max-tokens",
        type=values.number(int, 1, MOST),
        default=256,
        metavar="N",
        help="longest answer in tokens (default: %(default)s)",
    )
    add(
        "--temperature",
        type=values.number(float, 0),
        default=0.0,
        metavar="T",
        help="0 always takes the likeliest token, 1 samples as trained (default: %(default)s)",
    )
    add(
        "--seed",
        type=values.number(int, 0, 2**32 - 1),
        metavar="N",
        help="of the sampling; same seed, same answer (default: random)",
    )
    add(
        "--allow-http", action="store_true", help="let a picture be fetched from an http(s) URL (default: no)"
    )


def answer_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `LlavaNext.ask` that belong to every answer."""
    return {
        "system": args.system,
        "max_tokens": args.max_tokens,
        "temperature": args.temperature,
        "seed": secrets.randbelow(2**32)
        if args.seed is None
        else args.seed,  # llama-cpp-python's is constant
    }
