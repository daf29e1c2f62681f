"""Help texts of the command line keep CONTRIBUTING's rule for prose."""

from __future__ import annotations

import argparse
import re

import pytest

from hired_gguf.cli import build_parser

(COMMANDS,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
HELP = {
    f"{command} {action.option_strings[-1] if action.option_strings else action.dest}": action.help
    for command, parser in COMMANDS.choices.items()
    for action in parser._actions
}


@pytest.mark.parametrize("option", HELP)
def test_a_help_text_names_its_subject(option):
    assert re.match(r"(?!of\b|in\b|for\b|around\b|also as\b)[A-Za-z]|0 ", HELP[option])
    assert not re.search(r"\bby lot\b|\blots\b|\bcomes? there\b", HELP[option])
