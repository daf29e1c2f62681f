"""``hired-gguf chat``: a conversation about pictures."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ..chat.answer import Answer
from ..chat.conversation import Chat
from ..console import loading, option_groups, option_types
from ..console.terminal import StatusLine, is_terminal, print_answer, print_summary, say
from ..console.usage import UsageError
from ..errors import HiredError, InputError
from ..explain.overlay import as_png
from ..explain.report import Explained, draw_one
from ..files import given_path
from ..images.find import SUFFIXES
from ..images.sources import LoadedImage
from ..model import LlavaNext

HELP = """\
  /image PATH   add a picture to your next message; so does a line that is only its path (drop the file)
  /budget B     keep this many visual tokens from now on (0.2 a fraction, 640 a number)
  /explain      draw what was kept of the last answered question's pictures, to overlay-N.png
  /reset        forget the conversation and its pictures
  /help         show this
  /quit         leave (so does Ctrl-D); Ctrl-C stops an answer, and that turn is forgotten
"""

EXAMPLES = f"""\
in the conversation:
{HELP}
When the context is full, the oldest questions are forgotten, with a word about it; the latest pictures stay.

examples:
  hired-gguf chat photo.jpg --model llava.gguf --mmproj mmproj.gguf
  printf '%s\\n' "What is this?" "What colour is it?" | hired-gguf chat photo.jpg
"""


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "chat",
        "talk about pictures",
        "Talk about pictures. A line is a message; standard input may be a pipe.",
        EXAMPLES,
    )
    parser.add_argument(
        "image", metavar="IMAGE", nargs="?", help="a picture for the first message: a file or URL"
    )
    option_groups.add_budget_options(parser)
    option_groups.add_answer_options(parser)
    option_groups.add_model_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Talk until the input ends. 1 if a message of a script failed."""
    pictures = [loading.load_picture(args.image, args)] if args.image else []
    pair = loading.model_pair(args)
    with StatusLine() as status, loading.load_model(args, pair, status) as llm:
        status.clear()
        session = Session(llm, args, pictures, status)
        interactive = is_terminal(sys.stdin) and is_terminal(sys.stdout)
        read_lines(session.take, interactive)
        return int(session.failed and not interactive)


def read_lines(take: Callable[[str], bool], interactive: bool) -> None:
    """Hand over line by line until one says False or the input ends. A prompt is shown only to people."""
    if interactive:
        _edit_lines()
    while True:
        try:
            line = input("> " if interactive else "").strip()
        except EOFError:
            if interactive:
                print()
            return
        except KeyboardInterrupt:
            if not interactive:
                raise
            print("\n(Ctrl-D or /quit leaves)")
            continue
        if line and not take(line):
            return


def _edit_lines() -> None:
    with suppress(ImportError):  # not on Windows
        import readline  # noqa: F401, PLC0415  importing it gives input() editing and history


def is_picture_path(line: str) -> bool:
    """Whether a line is only the path of a picture that is there, as a terminal writes a dropped one."""
    with suppress(InputError, ValueError):
        path = given_path(line)
        return path.lower().endswith(SUFFIXES) and os.path.isfile(path)
    return False


@dataclass(frozen=True)
class Answered:
    """The last answered question, and the latest pictures that it was about, each with what was kept."""

    question: str
    pictures: list[tuple[LoadedImage, Explained]]


class Session:
    """A conversation as its lines change it. ``failed`` is true once a line has ended in an error."""

    def __init__(
        self, llm: LlavaNext, args: argparse.Namespace, pictures: list[LoadedImage], status: StatusLine
    ) -> None:
        self.failed = False
        self._llm = llm
        self._args = args
        self._status = status
        self._pictures = pictures
        self._shown: list[LoadedImage] = []  # with the latest question that had any
        self._answered: Answered | None = None
        self._budget = args.token_budget
        self._commands: dict[str, Callable[[str], None]] = {
            "/image": self._add_picture,
            "/budget": self._set_budget,
            "/explain": self._explain,
            "/reset": self._reset,
            "/help": lambda _: print(HELP, end="", flush=True),
        }
        self._chat = self._new_chat()

    def _new_chat(self) -> Chat:
        return self._llm.chat(forgets=True, **option_groups.answer_options(self._args))

    def take(self, line: str) -> bool:
        """Obey a command or answer a message. False ends the conversation."""
        name, _, argument = line.partition(" ")
        if name == "/quit":
            return False
        try:
            if name in self._commands:
                self._commands[name](argument.strip())
            elif is_picture_path(line):
                self._add_picture(line)
                say(f"{line} is added to your next message, as by /image")
            elif not line.startswith("/"):
                self._answer(line)
            else:
                say(f"no such command: {name}; /help lists them")
        except KeyboardInterrupt:
            say("stopped; this turn is forgotten")
        except (HiredError, UsageError) as error:
            self.failed = True
            say(f"error: {error}")
        return True

    def _answer(self, text: str) -> None:
        forgotten = self._chat.forgotten
        with self._status:
            print_answer(self._chat.stream(text, self._pictures, budget=self._budget), self._status)
        self._shown, self._pictures = self._pictures or self._shown, []
        answer = self._chat.answer
        assert answer is not None  # the stream is through
        latest = answer.selections[len(answer.selections) - len(self._shown) :]
        kept = [Explained(selection, answer.text) for selection in latest]
        self._answered = Answered(text, list(zip(self._shown, kept, strict=True)))
        print_summary(answer.run)
        self._tell_of_room(answer, self._chat.forgotten - forgotten)

    def _tell_of_room(self, answer: Answer, forgotten: int) -> None:
        """Say what a full context cost: questions that were left out, or the answer's end."""
        full = f"the context of {self._args.n_ctx} tokens (--n-ctx) is full"
        if forgotten:
            oldest = f"the {forgotten} oldest questions were" if forgotten > 1 else "the oldest question was"
            say(f"{full}: {oldest} forgotten, answers too; the latest pictures are still shown")
        elif answer.finish_reason == "length" and answer.completion_tokens < self._args.max_tokens:
            say(f"{full}: the answer was cut off; the next question forgets the oldest")

    def _explain(self, _: str) -> None:
        if self._answered is None or not self._answered.pictures:
            raise UsageError("/explain: ask a question about a picture first")
        for picture, kept in self._answered.pictures:
            drawing = as_png(draw_one(self._answered.question, [kept], picture))
            print(f"drawn in {_write_new(drawing)}", flush=True)

    def _add_picture(self, source: str) -> None:
        self._pictures = [*self._pictures, loading.load_picture(source, self._args)]

    def _set_budget(self, text: str) -> None:
        try:
            self._budget = self._budget.changed(budget=option_types.budget(text))
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"/budget: {error}") from None

    def _reset(self, _: str) -> None:
        self._pictures, self._shown, self._answered = [], [], None
        self._chat = self._new_chat()


def _write_new(drawing: bytes) -> Path:
    """Write overlay-N.png in this folder, N being the first that is free. Raises UsageError."""
    for number in count(1):
        path = Path(f"overlay-{number}.png")
        try:
            with path.open("xb") as file:
                file.write(drawing)
            return path
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"/explain: {path} cannot be written: {error.strerror}") from None
    raise AssertionError("count never ends")
