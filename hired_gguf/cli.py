"""The command ``hired-gguf``: picks a subcommand, turns what happens into an exit code and at most one line.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import io
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from .console.option_sources import fill
from .console.terminal import say
from .console.usage import UsageError
from .errors import BudgetError, HiredError, OutputError
from .native.load import VERSION
from .native.log import NativeLog

EPILOG = """\
Without --model and --mmproj the built-in model answers. Options can also stand in a file (--config) and in
environment variables; 'hired-gguf doctor' shows those in effect, and looks for trouble with the installation.

'hired-gguf COMMAND --help' explains a command. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message} ({self.prog} --help explains)")


COMMANDS = ("ask", "chat", "explain", "qa", "eval", "inspect", "doctor", "bench", "quantize")


def build_parser(names: Sequence[str] = COMMANDS) -> Parser:
    """The command line of these commands. Each is loaded here, since some bring large libraries."""
    parser = Parser(
        prog="hired-gguf",
        description="Ask LLaVA-Next models in GGUF files about pictures, keeping only the visual tokens\n"
        "that matter (HiRED).",
        epilog=EPILOG,
        formatter_class=argparse.RawTextHelpFormatter,  # an example is a line of its own
    )
    parser.add_argument("--version", action="version", version=f"hired-gguf {VERSION}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name in names:
        import_module(f".commands.{name}", __package__).add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an answer must not fail for want of a character
    warnings.filterwarnings("ignore", module="PIL")  # what it says of odd EXIF names no file
    with NativeLog() as log:
        try:
            return _run(argv, log)
        except SystemExit as done:  # --help and --version
            return int(done.code or 0)
        except KeyboardInterrupt:
            return 130
        except BrokenPipeError:
            _discard_output()
            return 141
        except Exception as error:
            say(f"error: {describe(error, log)}")
            return 2 if isinstance(error, (UsageError, BudgetError, OutputError)) else 1


def _run(argv: Sequence[str] | None, log: NativeLog) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = words[:1] if words[:1] and words[0] in COMMANDS else COMMANDS
    args = build_parser(chosen).parse_args(words)
    args.command_line = shlex.join(["hired-gguf", *words])
    log.verbose = args.verbose > 0
    try:
        fill(args)
        code: int = args.run(args)
        print(end="", flush=True)  # so that a broken pipe shows here
    except Exception:
        if args.verbose > 1:
            traceback.print_exc()
        raise
    return code


def describe(error: Exception, log: NativeLog) -> str:
    """The text of an error, and how to learn more if nobody planned it."""
    planned = isinstance(error, (HiredError, UsageError, OSError)) and bool(str(error))
    text = log.describe(error, planned)
    return text if planned else f"{text} (-vv shows where)"


def _discard_output() -> None:
    """Let the interpreter flush standard output at exit without another broken pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
