"""Chat templates of others: any text as the Jinja of a model file."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress

from hired_gguf.errors import PromptError
from hired_gguf.prompt import bounds
from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import ChatTemplate, render

from .target import Target

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
TURNS = parse_messages(
    [
        {"role": "system", "content": "SYSTEM"},
        {
            "role": "user",
            "content": [{"type": "image", "image": "a.png"}, {"type": "text", "text": "QUESTION"}],
        },
        {"role": "assistant", "content": "ANSWER"},
        {"role": "user", "content": "AGAIN", "name": "n"},
    ]
)
#: What no template may cause: Python's audit events, by their first word and in whole.
FORBIDDEN = (
    "open",
    "import",
    "subprocess.",
    "socket.",
    "os.",
    "shutil.",
    "ctypes.",
    "pty.",
    "urllib.",
    "sys.",
)
_watching = [False]


class EscapeError(BaseException):
    """A template reached something outside: nothing catches this."""


bounds.MAX_SECONDS = 0.5  # what is tried is that the bound holds, wherever it is


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watching[0] and event.startswith(FORBIDDEN) and event != "sys._getframe":
        _watching[0] = False
        raise EscapeError(event, *arguments)


sys.addaudithook(_watch)


def run(data: bytes) -> None:
    """Whatever the template, every part of the messages is in the prompt once."""
    template = ChatTemplate(data.decode("utf-8", "replace"))
    try:
        _watching[0] = True
        pieces = render(template, TURNS, "<s>", "</s>", {"tools": TOOLS})
    finally:
        _watching[0] = False
    texts = Counter(piece.text for piece in pieces if isinstance(piece, TextPart))
    assert texts.total() == 4
    assert sum(isinstance(piece, ImagePart) for piece in pieces) == 1


for _source in (
    "{% for m in messages %}{{ m.content ~ 'a' }}{% endfor %}",
    "{{ 1 + '' }}",
):  # what is imported late
    with suppress(PromptError):
        render(ChatTemplate(_source), TURNS, "", "")

TARGET = Target(
    "templates",
    run,
    (PromptError,),
    max_length=2048,
    megabytes=256,
    words=(
        *(
            "{{",
            "}}",
            "{%",
            "%}",
            "{%-",
            "-%}",
            "for",
            "endfor",
            "in",
            "if",
            "elif",
            "else",
            "endif",
            "set",
            "endset",
        ),
        *(
            "macro",
            "endmacro",
            "call",
            "endcall",
            "filter",
            "endfilter",
            "block",
            "endblock",
            "include",
            "import",
        ),
        *(
            "messages",
            "m.content",
            "m['role']",
            "loop.index",
            "loop.last",
            "recursive",
            "namespace(",
            "range(",
            "99999",
        ),
        *(
            "raise_exception(",
            "bos_token",
            "eos_token",
            "add_generation_prompt",
            "tools",
            "generation",
            "endgeneration",
        ),
        *(
            "|tojson",
            "|trim",
            "|join",
            "|list",
            "|map(",
            "|sort",
            "|replace(",
            "|center(",
            "|indent(",
            "|batch(",
            "|sum",
        ),
        *(
            "|format(",
            ".format(",
            ".join(",
            ".split(",
            "~",
            "*",
            "**",
            "//",
            "%",
            "9999999",
            "__class__",
            "__globals__",
        ),
        *(
            "mro()",
            "self",
            "cycler",
            "joiner",
            "lipsum",
            "strftime_now(",
            "dict(",
            "caller()",
            "is",
            "defined",
            "not",
        ),
        *("break", "continue", "do", "with", "endwith", "raw", "endraw", "{#", "#}", "loop(", "|attr("),
    ),
)
