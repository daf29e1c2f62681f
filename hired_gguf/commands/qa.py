"""``hired-gguf qa``: many questions about many pictures, one JSON object an answer."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from ..console import loading, option_groups
from ..console.terminal import StatusLine, is_terminal, say
from ..console.usage import UsageError
from ..errors import InputError, PromptError
from ..model import LlavaNext
from ..model_files.mmproj import MmprojInfo, read_mmproj
from ..qa.batch import ask_many
from ..qa.inputs import Fields, every_question, read_tasks
from ..qa.opener import Opener
from ..qa.record import as_line
from ..qa.settings import QaSettings, settings_of_files
from ..qa.store import require_file
from ..qa.task import FIELDS, Task, make_tasks
from . import qa_options
from .qa_status import BatchStatus


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "qa",
        "answer lists of questions about folders of pictures",
        "Ask many questions about many pictures. Each answer, or error, is one line of JSON. Questions\n"
        "about the same picture run together, so that it is encoded and read once.",
        qa_options.EXAMPLES,
    )
    qa_options.add_input_options(parser)
    qa_options.add_output_options(parser)
    qa_options.add_worker_options(parser)
    option_groups.add_budget_options(parser)
    qa_options.add_answer_options(parser)
    option_groups.add_model_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Answer all tasks. 0 if every one has a record, whatever its status; 130 if interrupted."""
    try:
        tasks = _tasks(args)
        pair = loading.model_pair(args)
        info = read_mmproj(pair[1])
        settings = _settings(args, pair[0], info)
        _require_output(args)
        _require_worker(args)
    except (InputError, PromptError) as error:
        raise UsageError(str(error)) from error
    try:
        with _interruptible():
            return _answer(args, (pair[0], info), tasks, settings)
    except KeyboardInterrupt:
        if args.output is not None:
            say(f"interrupted; the same command goes on with {Path(args.output).name}")
        return 130


def _tasks(args: argparse.Namespace) -> list[Task]:
    """What is asked for. Raises UsageError, InputError."""
    if bool(args.images) == bool(args.input):
        raise UsageError("give either --images and --question, or --input")
    if bool(args.images) != bool(args.question):
        raise UsageError("--images needs --question, and --question needs --images")
    fields = every_question(args.images, args.question) if args.images else read_tasks(args.input)
    _name_unused(fields)
    return make_tasks(fields)


def _name_unused(fields: list[Fields]) -> None:
    unused = {name for task in fields for name in task} - {*FIELDS}
    if unused:
        say(f"fields of the input that are ignored: {', '.join(sorted(unused))}")


def _settings(args: argparse.Namespace, model: Path, info: MmprojInfo) -> QaSettings:
    return settings_of_files(
        model,
        info,
        token_budget=args.token_budget,
        chat_template=args.template,
        template=args.question_template,
        system=args.system,
        max_tokens=args.max_tokens,
        temperature=args.temperature,
        seed=args.seed,
        schema=args.schema,
    )


def _require_output(args: argparse.Namespace) -> None:
    """Raises UsageError, OutputError."""
    if args.output is None and (args.retry_errors or args.force):
        raise UsageError("--retry-errors and --force need a file: give --output")
    inputs = [path for path in (args.input, args.schema, args.model, args.mmproj) if path not in (None, "-")]
    if args.output is not None:
        require_file(Path(args.output), inputs)


def _require_worker(args: argparse.Namespace) -> None:
    """Decide whether there is one. Raises UsageError."""
    if args.isolate is None:
        args.isolate = args.output is not None
    if not args.isolate and (args.task_timeout is not None or args.memory_limit is not None):
        raise UsageError("--task-timeout and --memory-limit are about the worker process: give --isolate")
    if args.memory_limit is not None and sys.platform != "linux":
        raise UsageError(f"--memory-limit needs Linux, this is {sys.platform}")


def _opener(args: argparse.Namespace, pair: tuple[Path, MmprojInfo], status: BatchStatus) -> Opener:
    return Opener(
        partial(LlavaNext, *pair, **loading.model_options(args)),
        isolate=args.isolate,
        task_timeout=args.task_timeout,
        memory_limit=args.memory_limit and int(args.memory_limit * 2**30),
        on_stage=status.stage if is_terminal(sys.stderr) else None,
        verbose=args.verbose > 0,
    )


def _answer(
    args: argparse.Namespace, pair: tuple[Path, MmprojInfo], tasks: list[Task], settings: QaSettings
) -> int:
    with StatusLine() as line:
        status = BatchStatus(line)
        loading.tell_of_one_partition(pair[1])
        line.show(f"loading {pair[0].name}")
        records = ask_many(
            _opener(args, pair, status),
            tasks,
            settings,
            output=args.output,
            as_completed=args.as_completed,
            retry_errors=args.retry_errors,
            force=args.force,
            allow_http=args.allow_http,
            max_pixels=args.max_pixels,
            on_progress=status.note,
        )
        with closing(records):
            for record in records:
                if args.output is None:
                    line.clear()
                    sys.stdout.buffer.write(as_line(record))
                    sys.stdout.buffer.flush()
    status.finish(args.output)
    return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the polite ways to end a process drop the current task and stop. A second one ends it at once."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), _interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt
