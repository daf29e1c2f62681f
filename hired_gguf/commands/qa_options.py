"""The options that are ``hired-gguf qa``'s own."""

from __future__ import annotations

import argparse

from ..console import option_groups, option_types
from ..console.option_table import ANSWER, add_shared
from ..console.option_types import number
from ..prompt.messages import QUESTION_PLACEHOLDER

EXAMPLES = """\
examples:
  hired-gguf qa --images photos --question "What is on the table?" --output answers.jsonl
  hired-gguf qa --images 'scans/*.png' --question "Total?" --question "Date?" --output totals.jsonl
  hired-gguf qa --input tasks.jsonl --output answers.jsonl --retry-errors
  hired-gguf qa --input tasks.csv --schema invoice.json --output invoices.jsonl

To go on after any kind of stop, give the same command again. docs/qa.md has the fields of tasks and records.
"""


def add_input_options(parser: argparse.ArgumentParser) -> None:
    """What is asked."""
    group = parser.add_argument_group("tasks", "pictures and questions, or a file of both")
    add = group.add_argument
    add(
        "--images",
        nargs="+",
        action="extend",
        metavar="WHERE",
        help="folders (their pictures, in name order), files, or globs in quotes",
    )
    add("--question", action="append", metavar="TEXT", help="a question about every picture; repeatable")
    add(
        "--input",
        type=option_types.path_text,
        metavar="FILE",
        help="JSON Lines, a JSON list or CSV with image and question, optionally id, budget, max_tokens, "
        "schema; - for standard input",
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Where records go."""
    group = parser.add_argument_group("records")
    add = group.add_argument
    add(
        "--output",
        type=option_types.path_text,
        metavar="FILE",
        help="JSON Lines file that the next start goes on with (default: standard output, which starts anew)",
    )
    add("--as-completed", action="store_true", help="write records as they come, not in the tasks' order")
    add("--retry-errors", action="store_true", help="ask the tasks again that ended in an error or a crash")
    add(
        "--force",
        action="store_true",
        help="accept an output made with other settings, and answer every task again at its end",
    )


def add_worker_options(parser: argparse.ArgumentParser) -> None:
    """The process that has the model."""
    group = parser.add_argument_group(
        "worker process", "has the model; a task that kills it is recorded as crashed, and the run goes on"
    )
    add = group.add_argument
    add(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        help="use one (default: with --output)",
    )
    add(
        "--task-timeout",
        type=number(float, 0.001),
        metavar="SECONDS",
        help="a task that takes longer counts as hanging (default: 20 times the longest so far, "
        "and 10 minutes at least)",
    )
    add(
        "--memory-limit",
        type=number(float, 0.001),
        metavar="GIB",
        help="what the worker may allocate, beside the model's file (default: no limit; Linux)",
    )


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Schema, prompt and sampling."""
    group = parser.add_argument_group("answer")
    group.add_argument("--schema", metavar="FILE", help="a JSON schema that every answer follows")
    option_groups.add_template_options(group, f"Question: {QUESTION_PLACEHOLDER}")
    add_shared(group, [option for option in ANSWER if option.name != "template"])
