"""The options that commands share: on the command line, as environment variables, in a TOML file."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..images.load import MAX_PIXELS
from ..model_files.gguf_fields import INT32_MAX
from ..prompt.templates import BUILT_IN
from ..selection.budget import DEFAULT
from ..selection.policies import (
    ALLOCATIONS,
    NEWLINES,
    POLICIES,
    POLICY_MEANINGS,
    SELECTIONS,
    meanings,
)
from . import option_types


@dataclass(frozen=True)
class SharedOption:
    """An option. ``parse`` takes its text; ``kinds`` are the types that a TOML file may give it.

    argparse gets no default, so that an option that was not given is None; `option_sources.fill` fills it in.
    """

    name: str
    help: str
    default: Any = None
    parse: Callable[[str], Any] = str
    kinds: tuple[type, ...] = (str,)
    metavar: str | None = None
    choices: tuple[str, ...] | None = None
    is_path: bool = False

    @property
    def dest(self) -> str:
        """Its name among parsed arguments."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"HIRED_GGUF_{self.dest.upper()}"

    def convert(self, text: str) -> Any:
        """Text to a checked value. Raises ArgumentTypeError."""
        if self.choices and text not in self.choices:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(self.choices)}")
        return self.parse(text)


_WHOLE, _NUMBER = (int,), (int, float)
MODEL = (
    SharedOption(
        "model",
        "language model (default: $HIRED_GGUF_MODEL)",
        parse=option_types.existing_file,
        metavar="FILE",
        is_path=True,
    ),
    SharedOption(
        "mmproj",
        "vision encoder and projector (default: $HIRED_GGUF_MMPROJ)",
        parse=option_types.existing_file,
        metavar="FILE",
        is_path=True,
    ),
    SharedOption(
        "n-ctx",
        "context size: question, visual tokens and answer (default: 4096)",
        4096,
        option_types.number(int, 1, 2**20),
        _WHOLE,
        "TOKENS",
    ),
    SharedOption(
        "gpu-layers",
        "layers of the language model on the GPU, -1 for all (default: -1)",
        -1,
        option_types.number(int, -1, INT32_MAX),
        _WHOLE,
        "N",
    ),
    SharedOption(
        "threads",
        "CPU threads (default: by the CPU's cores)",
        None,
        option_types.number(int, 1, 512),
        _WHOLE,
        "N",
    ),
    SharedOption(
        "device",
        "device of the vision encoder: auto, cpu, gpu, or a name that 'doctor' lists (default: auto)",
        "auto",
        option_types.device,
        metavar="NAME",
    ),
    SharedOption(
        "flash-attention",
        "flash attention in the vision encoder (default: auto)",
        "auto",
        choices=("auto", "on", "off"),
    ),
)
#: Their defaults are those of `TokenBudget`: an option that nobody gives is None here.
BUDGET = (
    SharedOption(
        "budget",
        "visual tokens that stay: a fraction of all (1.0 is all), or their number, as 640 "
        f"(default: {DEFAULT.budget})",
        None,
        option_types.budget,
        _NUMBER,
        "B",
    ),
    SharedOption(
        "tokens",
        "the same as an exact number of visual tokens",
        None,
        option_types.number(int, 1, INT32_MAX),
        _WHOLE,
        "N",
    ),
    SharedOption(
        "policy",
        f"all of the following at once. {meanings(POLICY_MEANINGS)} (default: hired)",
        choices=tuple(POLICIES),
    ),
    SharedOption(
        "alpha",
        f"the full image's share of the budget, 0 to 1; its tiles get the rest (default: {DEFAULT.alpha})",
        None,
        option_types.number(float, 0, 1),
        _NUMBER,
        "A",
    ),
    SharedOption(
        "allocation",
        f"how the partitions share. {meanings(ALLOCATIONS)} (default: {DEFAULT.allocation})",
        choices=tuple(ALLOCATIONS),
    ),
    SharedOption(
        "selection",
        f"which tokens of a partition stay. {meanings(SELECTIONS)} (default: {DEFAULT.selection})",
        choices=tuple(SELECTIONS),
    ),
    SharedOption(
        "newlines",
        f"the row-end tokens of LLaVA-Next. {meanings(NEWLINES)} (default: {DEFAULT.newlines})",
        choices=tuple(NEWLINES),
    ),
)
ANSWER = (
    SharedOption("system", "system prompt (default: the template's own)", metavar="TEXT"),
    SharedOption(
        "template",
        f"chat template: {', '.join(BUILT_IN)}, or a file of Jinja "
        "(default: the model's own, else the one that 'inspect' tells)",
        parse=option_types.template,
        metavar="NAME|FILE",
    ),
    SharedOption(
        "max-tokens",
        "longest answer in tokens (default: 256)",
        256,
        option_types.number(int, 1, INT32_MAX),
        _WHOLE,
        "N",
    ),
    SharedOption(
        "temperature",
        "0 always takes the likeliest token, 1 samples as trained (default: 0.0)",
        0.0,
        option_types.number(float, 0),
        _NUMBER,
        "T",
    ),
    SharedOption(
        "seed",
        "seed of the sampling; the same seed gives the same answer (default: random)",
        None,
        option_types.number(int, 0, 2**32 - 1),
        _WHOLE,
        "N",
    ),
    SharedOption(
        "allow-http",
        "let a picture be fetched from an http(s) URL (default: no)",
        False,
        option_types.yes_or_no,
        (bool,),
    ),
    SharedOption(
        "max-pixels",
        "size of the largest picture that is decoded; a JPEG may have twice as many (default: 100000000)",
        MAX_PIXELS,
        option_types.number(int, 1, 2**31 - 1),
        _WHOLE,
        "N",
    ),
)
SHARED = {option.name: option for option in (*MODEL, *BUDGET, *ANSWER)}


def add_shared(
    group: argparse._ActionsContainer, options: Sequence[SharedOption], help: str | None = None
) -> None:
    """Add options to a parser or a group of it; ``help`` instead of their own."""
    for option in options:
        if option.kinds == (bool,):
            group.add_argument(
                f"--{option.name}", action=argparse.BooleanOptionalAction, help=help or option.help
            )
            continue
        group.add_argument(
            f"--{option.name}",
            type=option.parse,
            choices=option.choices,
            metavar=option.metavar,
            help=help or option.help,
        )
    names = tuple(option.name for option in options)
    group.set_defaults(shared=(*(group.get_default("shared") or ()), *names))


def add_config_option(group: argparse._ActionsContainer) -> None:
    """Where else options may come from."""
    group.add_argument(
        "--config",
        metavar="FILE.toml",
        help="a file of options (default: $HIRED_GGUF_CONFIG, else hired-gguf.toml in your config folder); "
        "each option is also an environment variable, such as HIRED_GGUF_BUDGET; 'doctor' shows what is set",
    )
