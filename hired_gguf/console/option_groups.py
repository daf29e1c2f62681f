"""The options of `shared`, in groups as commands take them."""

from __future__ import annotations

import argparse
from typing import Any, TypeAlias

from ..prompt.messages import QUESTION_PLACEHOLDER
from ..prompt.sampling import random_seed
from .option_table import ANSWER, BUDGET, MODEL, SHARED, add_config_option, add_shared

#: Where a command adds its parser.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def new_parser(
    commands: Commands, name: str, help: str, description: str, example: str
) -> argparse.ArgumentParser:
    """A subcommand with ``-v`` and examples under its help, the first of them in the list of commands too."""
    first = example.partition("examples:\n")[2].partition("\n")[0].strip()
    parser = commands.add_parser(
        name,
        help=f"{help}\n  {first}".replace("%", "%%"),
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
    add_config_option(group)
    add_shared(group, [SHARED["model"], SHARED["mmproj"]])
    return group


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """The pair of files, and how to run them."""
    add_shared(add_pair_options(parser), MODEL[2:])


def add_budget_options(parser: argparse.ArgumentParser) -> None:
    """How many visual tokens stay, and which."""
    group = parser.add_argument_group("visual tokens", "fewer are faster; the most attended ones stay")
    add_shared(group, BUDGET)


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Prompt and sampling."""
    add_shared(parser.add_argument_group("answer"), ANSWER)


def add_template_options(group: argparse._ArgumentGroup, example: str) -> None:
    """What stands around every question, where a command asks many; so the model's is --chat-template."""
    group.add_argument(
        "--template",
        dest="question_template",
        default=QUESTION_PLACEHOLDER,
        metavar="TEXT",
        help=f"text around every question, such as '{example}'",
    )
    chat = SHARED["template"]
    group.add_argument(
        "--chat-template", dest=chat.dest, type=chat.parse, metavar=chat.metavar, help=chat.help
    )
    group.set_defaults(shared=(*(group.get_default("shared") or ()), chat.name))


def answer_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of `LlavaNext.ask` that belong to every answer."""
    return {
        "system": args.system,
        "max_tokens": args.max_tokens,
        "temperature": args.temperature,
        "seed": random_seed() if args.seed is None else args.seed,
    }
