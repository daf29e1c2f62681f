"""``hired-gguf eval``: how often answers are right under each budget."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..console import loading, option_groups
from ..console.result_options import check_results, save_json, write_results
from ..console.terminal import StatusLine, say
from ..console.usage import UsageError
from ..errors import InputError
from ..evaluation import chart
from ..evaluation.builtin_tasks import builtin_pictures
from ..evaluation.report import make_report
from ..evaluation.results import Results
from ..evaluation.run import EvalSettings, answer_all
from ..evaluation.task_file import read_pictures
from ..evaluation.tasks import EvalPicture, sample
from ..model_files.mmproj import read_mmproj
from ..native.load import VERSION
from .eval_options import BUILTIN, QUESTIONS, add_eval_options, configurations_of
from .eval_status import EvalStatus

EXAMPLES = """\
examples:
  hired-gguf eval --chart accuracy.png
  hired-gguf eval --budgets 1.0,0.2 --selections cls,random,none --n 1200 --json results.json
  hired-gguf eval --layers 0:-1,-1:-1,0:-2 --budgets 0.2,0.1
  hired-gguf eval --tasks textvqa.jsonl --n 500 --model llava.gguf --mmproj mmproj.gguf --markdown textvqa.md

Without a list, these run: the budgets with CLS selection and at random, no picture at all, and at budget 0.2
each other value of one option alone. With any list, every combination of what is listed runs.
docs/evaluation.md has more.
"""


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "eval",
        "measure how often answers are right under each budget",
        "Ask questions whose answers are known under several budgets and policies, on the same pictures:\n"
        "exact match with 95 % intervals, tokens kept and seconds. The built-in tasks are drawn pictures;\n"
        "a file of image, question and answers brings TextVQA, DocVQA or your own.",
        EXAMPLES,
    )
    add_eval_options(parser)
    option_groups.add_model_options(parser)
    parser.set_defaults(run=run, allow_http=False)


def run(args: argparse.Namespace) -> int:
    """Ask, and report. Answers from before an interrupt or error go to the JSON file, as incomplete."""
    check_results(args)
    try:
        settings = EvalSettings(args.seed, args.max_tokens, args.question_template, args.system)
        given = None if args.tasks == BUILTIN else read_pictures(Path(args.tasks), args.max_pixels)
    except InputError as error:
        raise UsageError(str(error)) from error
    pair = loading.model_pair(args)
    info = read_mmproj(pair[1])
    configurations = configurations_of(args, info.executed_layers)
    results = Results(configurations)
    facts = facts_of(args, pair, settings)
    with StatusLine() as line:
        pictures = pictures_of(args, given, info.image_size, line)
        status = EvalStatus(line)
        with loading.load_model(args, (pair[0], info), line, status.stage) as llm:
            try:
                for result in answer_all(llm, pictures, configurations, settings, status.note):
                    results.add(result)
            except BaseException:
                save_part(args, results, facts)
                raise
    document = results.document(facts)
    write_results(args, document, "records", make_report(document), chart.draw)
    return 0


def pictures_of(
    args: argparse.Namespace, given: list[EvalPicture] | None, tile: int, line: StatusLine
) -> list[EvalPicture]:
    """The tasks. Raises HiredError where pictures cannot be drawn."""
    if given is not None:
        return sample(given, args.n, args.seed) if args.n else given
    line.show("drawing pictures")
    return builtin_pictures(args.n or QUESTIONS, args.seed, tile)


def facts_of(args: argparse.Namespace, pair: tuple[Path, Path], settings: EvalSettings) -> dict[str, Any]:
    """What opens the document."""
    return {
        "command": args.command_line,
        "version": VERSION,
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "model": [path.name for path in pair],
        "tasks": args.tasks,
        "settings": {**asdict(settings), "chat_template": args.template, "n_ctx": args.n_ctx},
    }


def save_part(args: argparse.Namespace, results: Results, facts: dict[str, Any]) -> None:
    """Keep the pictures that are through, where a file is wanted."""
    if args.json not in (None, "-") and results.pictures:
        save_json(args, results.document(facts, complete=False), "records")
        say(f"{args.json} holds the first {len(results.pictures)} pictures, and says that it is not complete")
