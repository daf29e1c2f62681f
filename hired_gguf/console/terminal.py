"""What a command shows besides its result: messages, a progress line, a summary. All of it goes to stderr."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Iterable
from typing import TextIO

from ..closing import Closing
from ..context.run import Run


def printable(text: str) -> str:
    """The text on one line, without what would steer a terminal."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def say(text: str) -> None:
    """Write a one-line message to stderr."""
    if sys.stderr is not None:  # print would write to stdout
        print(f"hired-gguf: {printable(text)}", file=sys.stderr, flush=True)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person is at the other end. A standard stream that the caller closed is None."""
    return stream is not None and stream.isatty()


class StatusLine(Closing):
    """One line on stderr that is rewritten in place; silent where stderr is not a terminal."""

    def __init__(self) -> None:
        self._watched = is_terminal(sys.stderr)
        self._width = 0

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._watched:
            print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(text)

    def clear(self) -> None:
        """Remove the line, if there is one."""
        if self._width:
            print("\r" + " " * self._width, end="\r", file=sys.stderr, flush=True)
            self._width = 0

    def progress(self, stage: str, done: int, total: int) -> None:
        """Show the stage of a call; an ``on_progress``."""
        if stage == "encode":
            self.show(f"encoding image {done + 1} of {total}")
        else:
            self.show(f"{stage} {done} of {total} tokens")

    def close(self) -> None:
        """Remove the line."""
        self.clear()


class RunStatus:
    """How far a long run is: a line that changes on a terminal, elsewhere one every ``pause`` seconds."""

    def __init__(self, line: StatusLine, pause: float, text: str = "") -> None:
        self._line = line
        self._watched = is_terminal(sys.stderr)
        self._pause = pause
        self._text = text
        self._said = -math.inf

    def stage(self, stage: str, done: int, total: int) -> None:
        """Show what is being done for the current question; an ``on_progress``."""
        self._show(f"; encoding {done + 1}/{total}" if stage == "encode" else f"; {stage} {done}/{total}")

    def tell(self, text: str, *, between: bool) -> None:
        """Show how far the run is. ``between`` two answers the text may also become a line of its own."""
        self._text = text
        self._show("")
        if not self._watched and between and time.monotonic() - self._said >= self._pause:
            self._said = time.monotonic()
            say(text)

    def _show(self, doing: str) -> None:
        if self._text:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps could not be rewritten
            self._line.show((self._text + doing)[:width])


def duration(seconds: float) -> str:
    """A time to be waited: 8 s, 12 min, 3 h 05 min."""
    seconds = max(seconds, 1)
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def print_answer(pieces: Iterable[str], status: StatusLine) -> None:
    """Print an answer as it comes, and a line's end however it ends."""
    started, to_people = False, is_terminal(sys.stdout)  # whose terminal no answer should steer
    try:
        for piece in pieces:
            text = piece if started else piece.lstrip()
            if to_people:
                text = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
            if text and not started:
                status.clear()
                started = True
            print(text, end="", flush=True)
    finally:
        status.clear()
        if started:
            print(flush=True)


def print_summary(run: Run) -> None:
    """Say what an answer cost, if stderr is a terminal."""
    if not is_terminal(sys.stderr):
        return
    parts = [f"first token after {run.timings.ttft_s:.1f} s"]
    if run.selections:
        parts.insert(0, f"{run.visual_tokens} of {run.visual_tokens_full} visual tokens")
    if run.reused_tokens:
        parts.insert(-1, f"{run.reused_tokens} of {run.prompt_tokens} prompt tokens from before")
    seconds = run.timings.total_s - run.timings.ttft_s
    if run.completion_tokens > 1 and seconds > 0:
        parts.append(f"then {(run.completion_tokens - 1) / seconds:.1f} tokens/s")
    print(f"[{', '.join(parts)}]", file=sys.stderr, flush=True)
