"""The options of ``hired-gguf bench``."""

from __future__ import annotations

import argparse

from ..bench.predict import SHORT_S, USUAL_REPETITIONS
from ..bench.text_types import TYPES
from ..console import option_types
from ..console.option_table import SHARED, add_shared
from ..console.result_options import add_result_options

BUDGETS = [1.0, 0.4, 0.2, 0.1, 0.05]
BUDGETS_OF_TYPES = [1.0, 0.2]
SECOND_IMAGE_BUDGETS = [0.2]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to measure, and where it goes."""
    group = parser.add_argument_group("what to measure")
    add = group.add_argument
    add("--quick", action="store_true", help="a small pair of random weights: a minute or two")
    add(
        "--layers",
        type=option_types.number(int, 1),
        metavar="N",
        help="text layers of the pair of random weights, each of full width, with what all would take, "
        "computed (default: all)",
    )
    add(
        "--types",
        type=text_types,
        metavar="T,...",
        help=f"types of the text model, made of one of random weights by llama.cpp's quantizer: "
        f"{', '.join(TYPES)}; one question each",
    )
    add("--predict", action="store_true", help="run only a short probe, and predict each budget by it")
    add("--skip-stock", action="store_true", help="measure hired-gguf alone, without ratios")
    add(
        "--budgets",
        type=option_types.budgets,
        metavar="B,...",
        help=f"budgets of visual tokens (default: {_list(BUDGETS)}; {_list(BUDGETS_OF_TYPES)} with --types)",
    )
    add(
        "--second-image-budgets",
        type=option_types.budgets,
        default=SECOND_IMAGE_BUDGETS,
        metavar="B,...",
        help="budgets that are also measured on the second image, as stock is "
        f"(default: {','.join(map(str, SECOND_IMAGE_BUDGETS))})",
    )
    add(
        "--repeat",
        type=option_types.number(int, 1, 1000),
        metavar="N",
        help=f"repetitions of the whole plan (default: {USUAL_REPETITIONS} if that is predicted to take "
        f"{SHORT_S / 60:.0f} minutes or less, else 1)",
    )
    for name, which in (("--image", "first picture, 672 x 672"), ("--second-image", "second, 672 x 336")):
        add(name, type=option_types.existing_file, metavar="FILE", help=f"{which} (default: clouds of noise)")
    add_shared(group, [SHARED["threads"]], "CPU threads of both engines (default: physical cores)")
    layers = "GPU layers of the language model in both engines, -1 for all (default: -1)"
    add_shared(group, [SHARED["gpu-layers"]], layers)
    add_result_options(parser, "up to date after each answer", "a chart of the seconds")


def text_types(text: str) -> list[str]:
    """Types with commas between them, each once."""
    kinds = list(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if wrong := [kind for kind in kinds if kind not in TYPES]:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(TYPES)}")
    return kinds


def _list(budgets: list[float]) -> str:
    return ",".join(map(str, budgets))
