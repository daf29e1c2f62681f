"""The Jinja that chat templates run in: what Hugging Face's have at hand, and bounds on what they use up.

A template is somebody else's program. It sees no file and no object but its values (Jinja's sandbox), and it
is stopped after so many steps, characters and seconds; operations of one step that could take for ever or
fill the memory are refused by their operands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from ..errors import PromptError
from .bounds import Bounds, check_call, check_operator


class Refused(Exception):  # noqa: N818  it is the template's own word
    """A template called ``raise_exception``."""


class GenerationTag(Extension):
    """``{% generation %}`` marks the assistant's words for training; they are put out as they are."""

    tags = {"generation"}  # noqa: RUF012  Jinja's own way to declare them

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """What stands between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Counted(NodeTransformer):
    """Let every loop count its rounds, and every ``~`` its characters."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  the name that Jinja looks for
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "__rounds")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [_filtered(part, "__written") for part in node.nodes]
        return node


def _filtered(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """One rendering's environment: transformers' settings, filters and globals, within `Bounds`."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self) -> None:
        self.bounds = Bounds()
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", GenerationTag],
            finalize=self.bounds.written,
        )
        self.filters = {name: self._guarded(name, found) for name, found in self.filters.items()}
        self.filters.update(tojson=to_json, __rounds=self._rounds, __written=self.bounds.written)
        del self.globals["lipsum"]  # nonsense of any length
        self.globals.update(raise_exception=refuse, strftime_now=lambda form: datetime.now().strftime(form))

    def program(self, source: str) -> jinja2.Template:
        """The template, ready to render. Raises what Jinja raises on a wrong one."""
        tree = _Counted().visit(self.parse(source))
        return jinja2.Template.from_code(self, self.compile(tree), self.make_globals(None))

    def call(self, context: Context, obj: Any, /, *args: Any, **options: Any) -> Any:
        """Every call that a template makes."""
        self.bounds.step()
        method = getattr(obj, "__wrapped__", obj)  # the sandbox wraps str.format
        owner = getattr(method, "__self__", None)
        check_call(getattr(method, "__name__", ""), (owner, *args, *options.values()))
        return self.bounds.made(super().call(context, obj, *args, **options))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Every ``+``, ``*``, ``**`` and ``%``."""
        self.bounds.step()
        check_operator(operator, left, right)
        return self.bounds.made(super().call_binop(context, operator, left, right))

    def _rounds(self, items: Any) -> Any:
        if isinstance(items, jinja2.Undefined):
            return items
        return Rounds(self.bounds, items)

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)  # keeps the marks of filters that want the context
        def run(*args: Any, **options: Any) -> Any:
            self.bounds.step()
            check_call(name, (*args, *options.values()))
            return self.bounds.made(function(*args, **options))

        return run


class Rounds:
    """What a loop goes over; it keeps its length, so that ``loop.length`` and ``loop.last`` cost nothing."""

    def __init__(self, bounds: Bounds, items: Any) -> None:
        self._bounds, self._items = bounds, items

    def __iter__(self) -> Iterator[Any]:
        return self._bounds.rounds(self._items)

    def __len__(self) -> int:
        return len(self._items)


def refuse(reason: str) -> None:
    """What templates call to turn messages down."""
    raise Refused(reason)


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as transformers writes it, without Jinja's escapes for HTML. What is callers' text is marked."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=sort_keys)
    if ensure_ascii:
        text = re.sub("[^\x00-\x7f\ue000\ue001]", lambda found: json.dumps(found[0])[1:-1], text)
    return re.sub("(\ue000[0-9a-f]+-[0-9]+[aj]*)\ue001", "\\1" + "ja"[ensure_ascii] + "\ue001", text)


def check_syntax(source: str, what: str) -> None:
    """Raise PromptError, with the line, for a template that Jinja does not take."""
    try:
        TemplateEnvironment().program(source)
    except jinja2.TemplateSyntaxError as error:
        raise PromptError(f"{what}, line {error.lineno}: {error.message}") from None
    except MemoryError:
        raise
    except Exception as error:  # a parser that meets somebody else's text
        raise PromptError(f"{what} is no template: {str(error) or type(error).__name__}") from None
