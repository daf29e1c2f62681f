"""Where shared options come from: command line, then environment, then a TOML file, then their defaults."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..errors import BudgetError, HiredError, InputError
from ..files import given_path, user_folder
from ..selection.budget import DEFAULT as DEFAULT_BUDGET
from ..selection.budget import TokenBudget
from .option_table import BUDGET, SHARED, SharedOption
from .terminal import say
from .usage import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PREFIX = "HIRED_GGUF_"
OTHER_VARIABLES = {"HIRED_GGUF_CACHE", "HIRED_GGUF_CONFIG", "HIRED_GGUF_KERNELS"}
COMMAND_LINE, DEFAULT = "command line", "default"
ALLOWED: dict[tuple[type, ...], str] = {
    (int,): "a whole number",
    (int, float): "a number",
    (bool,): "true or false",
    (str,): "a text in quotes",
}


@dataclass(frozen=True)
class ConfigFile:
    """A TOML file of options. ``there`` is false for the user's own if it was never written."""

    path: Path
    there: bool
    values: Mapping[str, Any]


def fill(args: argparse.Namespace) -> None:
    """Set each shared option that the command line does not; ``args.origins`` says where each is from.

    ``args.token_budget`` is what the options of the budget come to. Raises UsageError.
    """
    names = getattr(args, "shared", ())
    file = read_config(args.config) if names else None
    args.origins = {}
    for option in (SHARED[name] for name in names):
        if getattr(args, option.dest) is not None:
            args.origins[option.name] = COMMAND_LINE
        elif file is not None:
            value, args.origins[option.name] = look_up(option, file)
            setattr(args, option.dest, value)
    args.token_budget = _token_budget(args)


def _token_budget(args: argparse.Namespace) -> TokenBudget:
    """The budget that the options name; what stands nearer to the command line goes over what stands farther.

    So ``--policy official`` is not undone by an alpha of the options file. Raises UsageError.
    """
    budget = DEFAULT_BUDGET
    for nearness in range(3):
        given = {
            option.dest: value
            for option in BUDGET
            if (value := getattr(args, option.dest, None)) is not None
            and _nearness(args.origins.get(option.name, DEFAULT)) == nearness
        }
        try:
            budget = budget.changed(**given)
        except BudgetError as error:
            raise UsageError(str(error).removeprefix("[config] ")) from None
    return budget


def _nearness(origin: str) -> int:
    """2 for the command line, 1 for a variable, 0 for the file and the default."""
    return 2 if origin == COMMAND_LINE else int(origin.startswith(PREFIX))


def look_up(option: SharedOption, file: ConfigFile) -> tuple[Any, str]:
    """An option's value and where it comes from: a variable's name, a file's, or "default".

    Raises UsageError.
    """
    if text := os.environ.get(option.variable):
        try:
            return option.convert(text), option.variable
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"{option.variable}: {error}") from None
    if option.name in file.values:
        return _from_file(option, file), str(file.path)
    return option.default, DEFAULT


def _from_file(option: SharedOption, file: ConfigFile) -> Any:
    value = file.values[option.name]
    if type(value) not in option.kinds:
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        raise UsageError(f"{file.path}: {option.name} is {shown}; allowed: {ALLOWED[option.kinds]}")
    try:
        text = given_path(value, file.path.parent) if option.is_path else str(value)
        return option.convert(text)
    except (argparse.ArgumentTypeError, InputError) as error:
        raise UsageError(f"{file.path}: {option.name}: {error}") from None


def read_config(given: str | None) -> ConfigFile:
    """The file of --config, of $HIRED_GGUF_CONFIG, or the user's own, which need not be there.

    Raises UsageError.
    """
    chosen = given or os.environ.get("HIRED_GGUF_CONFIG")
    try:
        path = Path(given_path(chosen)) if chosen else user_folder("config") / "hired-gguf.toml"
    except InputError as error:  # a URL of another host
        raise UsageError(f"the file of options {chosen!r}: {error}") from None
    except HiredError:  # nowhere for it to be
        return ConfigFile(Path("(no home folder)"), False, {})
    try:
        text = path.read_bytes().decode("utf-8-sig")
        found = tomllib.loads(text)
    except FileNotFoundError:
        if chosen:
            raise UsageError(f"no such file of options: {str(path)!r}") from None
        return ConfigFile(path, False, {})
    except OSError as error:
        if not chosen and isinstance(error, (PermissionError, NotADirectoryError)):
            say(f"going on without the file of options {str(path)!r}: {error.strerror}")
            return ConfigFile(path, False, {})
        raise UsageError(f"the file of options {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} is no TOML file: {error}") from None
    for key in found:
        if key not in SHARED:
            raise UsageError(f"{path}: {key!r} is no option; {nearest(key)}")
    return ConfigFile(path, True, found)


def in_effect(given: str | None) -> tuple[dict[str, Any], list[str]]:
    """The file, the options that it and the environment set, with their origins; and what is wrong."""
    facts: dict[str, Any] = {"config_file": None, "config_file_there": False, "options": {}}
    try:
        file = read_config(given)
    except UsageError as error:
        return facts, [str(error)]
    facts.update(config_file=str(file.path), config_file_there=file.there)
    wrong = []
    for option in SHARED.values():
        try:
            value, origin = look_up(option, file)
        except UsageError as error:
            wrong.append(str(error))
            continue
        if origin != DEFAULT:
            shown = str(value) if isinstance(value, Path) else value
            facts["options"][option.name] = {"value": shown, "origin": origin}
    return facts, wrong


def unknown_variables() -> list[str]:
    """Variables whose names look like options but are not."""
    known = {option.variable for option in SHARED.values()} | OTHER_VARIABLES
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def nearest(key: str) -> str:
    """The option that was most likely meant, else all of them."""
    close = get_close_matches(key.lower().replace("_", "-"), SHARED, 1, 0.5)
    return f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(SHARED)}"
