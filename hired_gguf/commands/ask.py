"""``hired-gguf ask``: one question about one or more pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..chat.answer import Answer
from ..console import loading, option_groups
from ..console.terminal import StatusLine, print_answer, print_summary
from ..console.usage import UsageError
from ..selection.budget import TokenBudget

EXAMPLES = """\
examples:
  hired-gguf ask photo.jpg "What does the sign say?" --model llava.gguf --mmproj mmproj.gguf
  hired-gguf ask photo.jpg "How many people?" --budget 0.1 --max-tokens 20
  hired-gguf ask before.png "What changed?" --image after.png
  curl -s https://example.org/a.jpg | hired-gguf ask - "Describe it." --json
"""


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "ask",
        "ask one question about a picture",
        "Ask a question about a picture. The answer goes to standard output as it comes.",
        EXAMPLES,
    )
    parser.add_argument(
        "image", metavar="IMAGE", help="a file or URL; - reads the picture from standard input"
    )
    parser.add_argument("question", metavar="QUESTION", help="the question, in quotes")
    parser.add_argument(
        "--image",
        dest="more",
        action="append",
        default=[],
        metavar="MORE",
        help="another picture; repeatable",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object with answer, token counts and seconds"
    )
    option_groups.add_budget_options(parser)
    option_groups.add_answer_options(parser)
    option_groups.add_model_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer the question."""
    sources = [args.image, *args.more]
    if sources.count("-") > 1:
        raise UsageError("'-' stands for standard input, which can be only one of the pictures")
    pictures = [loading.load_picture(source, args) for source in sources]
    pair = loading.model_pair(args)
    with StatusLine() as status, loading.load_model(args, pair, status) as llm:
        asked = llm.ask(pictures, args.question, stream=True, **option_groups.answer_options(args))
        if args.json:
            answer = asked.read()
            status.clear()
            print(json.dumps(as_json(answer, pair, args.token_budget)))
        else:
            print_answer(asked, status)
            print_summary(asked.run)
    return 0


def as_json(answer: Answer, pair: tuple[Path, Path], budget: TokenBudget) -> dict[str, Any]:
    """An answer, and what made it, for machines. ``timings`` are seconds."""
    fields = answer.as_dict()
    return {
        "answer": fields.pop("text"),
        **fields,
        "model": str(pair[0]),
        "mmproj": str(pair[1]),
        **vars(budget),
    }
