"""The options of ``hired-gguf eval``, and from its lists to what is compared."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection

from ..console import option_groups, option_types
from ..console.option_table import SHARED, add_shared
from ..console.result_options import add_result_options
from ..console.usage import UsageError
from ..errors import InputError
from ..evaluation.configuration import (
    BUDGETS,
    SELECTIONS,
    Configuration,
    cross_product,
    one_at_a_time,
)
from ..evaluation.layers import FIRST_AND_LAST, Layers, distinct, name_of, require_layers
from ..evaluation.run import EvalSettings
from ..prompt.messages import QUESTION_PLACEHOLDER
from ..selection.budget import DEFAULT as DEFAULT_BUDGET
from ..selection.policies import ALLOCATIONS, NEWLINES

BUILTIN = "builtin"
QUESTIONS = 600


def add_eval_options(parser: argparse.ArgumentParser) -> None:
    """Add all options but the model's."""
    _add_task_options(parser)
    _add_configuration_options(parser)
    add_result_options(parser, "with every answer", "accuracy against budget")
    _add_answer_options(parser)


def _add_task_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("tasks").add_argument
    add(
        "--tasks",
        type=option_types.path_text,
        default=BUILTIN,
        metavar="FILE.jsonl",
        help="JSON Lines with image, question and answers, optionally id and kind (default: builtin)",
    )
    add(
        "--n",
        type=option_types.number(int, 1, 10**6),
        metavar="N",
        help="number of questions; N of a file are drawn at random "
        f"(default: {QUESTIONS} built-in ones, or all of the file)",
    )
    add(
        "--seed",
        type=option_types.number(int, 0, 2**32 - 1),
        default=0,
        metavar="S",
        help="seed of the built-in pictures and of all random choices (default: 0)",
    )


def _add_configuration_options(parser: argparse.ArgumentParser) -> None:
    title = "lists of values with commas; an option without a list keeps its default"
    add = parser.add_argument_group("configurations", title).add_argument
    shown = ",".join(map(str, BUDGETS))
    add(
        "--budgets",
        type=option_types.budgets,
        metavar="B,...",
        help=f"budgets of visual tokens (default: {shown})",
    )
    for name, dest, allowed in (
        ("--allocations", "allocations", ALLOCATIONS),
        ("--selections", "selections", SELECTIONS),
        ("--newlines", "newline_rules", NEWLINES),
    ):
        about = f"{', '.join(allowed)} (default: {next(iter(allowed))})"
        add(name, dest=dest, type=names(allowed), metavar="NAME,...", help=about)
    add(
        "--alpha",
        dest="alphas",
        type=alphas,
        metavar="A,...",
        help=f"numbers from 0 to 1 (default: {DEFAULT_BUDGET.alpha})",
    )
    add(
        "--layers",
        type=layers,
        metavar="FIRST:LAST,...",
        help="pairs of vision layers: CLS attention of FIRST allots the budget, that of LAST picks the "
        "tokens; numbers count from 0, or negative from the end. A list that begins with a minus needs "
        f"a =, as in --layers=-1:-1 (default: {name_of(FIRST_AND_LAST)})",
    )


def _add_answer_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("answer", "answers are greedy: always the likeliest token")
    group.add_argument(
        "--max-tokens",
        type=option_types.number(int, 1, 4096),
        default=EvalSettings.max_tokens,
        metavar="N",
        help=f"longest answer in tokens (default: {EvalSettings.max_tokens})",
    )
    option_groups.add_template_options(group, f"{QUESTION_PLACEHOLDER} Answer in one word.")
    add_shared(group, [SHARED["system"], SHARED["max-pixels"]])


def names(allowed: Collection[str]) -> Callable[[str], list[str]]:
    """A list of such names, each once."""

    def parse(text: str) -> list[str]:
        found = list(dict.fromkeys(part.strip() for part in text.split(",")))
        if wrong := [name for name in found if name not in allowed]:
            raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(allowed)}")
        return found

    return parse


def alphas(text: str) -> list[float]:
    """Alphas with commas between them, each once."""
    return list(dict.fromkeys(option_types.number(float, 0, 1)(part.strip()) for part in text.split(",")))


def layers(text: str) -> list[Layers]:
    """Pairs of layers with commas between them, each once."""
    return list(dict.fromkeys(_pair(part.strip()) for part in text.split(",")))


def _pair(text: str) -> Layers:
    try:
        first, last = map(int, text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FIRST:LAST, two whole numbers as in {name_of(FIRST_AND_LAST)}"
        ) from None
    return first, last


def configurations_of(args: argparse.Namespace, executed_layers: int) -> list[Configuration]:
    """All combinations of the lists; without any list, one option is varied at a time.

    Raises UsageError for a listed layer that the model does not have.
    """
    given = {
        "budgets": args.budgets,
        "allocations": args.allocations,
        "selections": args.selections,
        "newlines": args.newline_rules,
        "alphas": args.alphas,
        "layers": None if args.layers is None else layers_of(args.layers, executed_layers),
    }
    listed = {name: value for name, value in given.items() if value is not None}
    return cross_product(**listed) if listed else one_at_a_time(executed_layers)


def layers_of(pairs: list[Layers], executed: int) -> list[Layers]:
    """The pairs that differ. Raises UsageError for a layer that the model does not have."""
    try:
        require_layers(pairs, executed)
    except InputError as error:
        raise UsageError(f"argument --layers: {error}") from error
    return distinct(pairs, executed)
