"""The Jinja that chat templates run in: what Hugging Face's have at hand, and bounds on what they use up.

A template is somebody else's program. It sees no file and no object but its values (Jinja's sandbox), and it
is stopped by `Bounds`, of which everything takes its part that loops, calls or makes a value.
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

from ..errors import PromptError, short
from .bounds import BRACES, MAX_INDENT, Bounds, TooMuch, check_binop, check_call, check_format

#: What no chat template needs, and what could take long or be of any length.
LEFT_OUT = ("filesizeformat", "pprint", "random", "striptags", "urlencode", "urlize", "wordwrap", "xmlattr")


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
    """Let the template count what it does: rounds of loops, texts that it puts out, values that it makes.

    The names are those that Jinja looks for.
    """

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "__rounds", _literal_characters(node))
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.body.insert(0, nodes.Output([_filtered(nodes.Const(""), "__text", _literal_characters(node))]))
        return node

    visit_CallBlock = visit_Macro  # noqa: N815

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.nodes = [_filtered(part, "__written") for part in node.nodes]
        return _filtered(node, "__made")

    def visit_List(self, node: nodes.Expr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "__made")

    visit_Dict = visit_Compare = visit_List  # noqa: N815

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else _filtered(node, "__made")

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(node, "__made") if isinstance(node.arg, nodes.Slice) else node


def _filtered(node: Any, name: str, *arguments: int) -> nodes.Expr:
    return nodes.Filter(node, name, [nodes.Const(n) for n in arguments], [], None, None, lineno=node.lineno)


def _literal_characters(node: nodes.Node) -> int:
    return sum(len(text.data) for text in node.find_all(nodes.TemplateData))


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
        kept = {name: found for name, found in self.filters.items() if name not in LEFT_OUT}
        self.filters = {
            name: self._guarded(name, found) for name, found in {**kept, "tojson": to_json}.items()
        }
        self.filters.update(__rounds=self._rounds, __text=self._text)
        self.filters.update(__written=self.bounds.written, __made=self.bounds.made)
        self.tests = {name: self._stepping(found) for name, found in self.tests.items()}
        del self.globals["lipsum"]  # nonsense of any length
        self.globals.update(raise_exception=refuse, strftime_now=lambda form: datetime.now().strftime(form))

    def program(self, source: str) -> jinja2.Template:
        """The template, ready to render. Raises what Jinja raises on a wrong one."""
        tree = _Counted().visit(self.parse(source))
        return jinja2.Template.from_code(self, self.compile(tree), self.make_globals(None))

    def call(self, context: Context, obj: Any, /, *args: Any, **options: Any) -> Any:
        """Every call that a template makes."""
        self.bounds.step()
        if obj is not self.globals["range"]:  # which has a bound of its own
            check_call(
                getattr(obj, "__name__", ""), getattr(obj, "__self__", None), (*args, *options.values())
            )
        return self.bounds.made(super().call(context, obj, *args, **options))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Every ``+``, ``*``, ``**`` and ``%``."""
        check_binop(operator, left, right)
        return self.bounds.made(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """A text's own ``format``, which Jinja replaces by a safe one."""
        safe = super().wrap_str_format(value)
        if safe is not None:
            check_format(value.__self__, BRACES)
        return safe

    def _rounds(self, items: Any, characters: int) -> Any:
        return items if isinstance(items, jinja2.Undefined) else Rounds(self.bounds, items, characters)

    def _text(self, empty: str, characters: int) -> str:
        self.bounds.text(characters)
        return empty

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        marked = int(hasattr(function, "jinja_pass_arg"))  # then the first argument is the context

        @wraps(function)  # which keeps the mark
        def run(*args: Any, **options: Any) -> Any:
            self.bounds.step()
            subject, *operands = args[marked:] or (None,)
            check_call(name, subject, (*operands, *options.values()))
            return self.bounds.made(function(*args, **options))

        return run

    def _stepping(self, function: Any) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **options: Any) -> Any:
            self.bounds.step()
            return function(*args, **options)

        return run


class Rounds:
    """What a loop goes over; it keeps its length, so that ``loop.length`` and ``loop.last`` cost nothing."""

    def __init__(self, bounds: Bounds, items: Any, characters: int) -> None:
        self._bounds, self._items, self._characters = bounds, items, characters

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self._bounds.step()
            self._bounds.text(self._characters)
            yield item

    def __len__(self) -> int:
        return len(self._items)


def refuse(reason: str) -> None:
    """What templates call to turn messages down."""
    raise Refused(short(str(reason), 500))


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as transformers writes it, without Jinja's escapes for HTML. What is callers' text is marked."""
    if indent is not None and (not isinstance(indent, int) or indent > MAX_INDENT):
        raise TooMuch(f"its 'tojson' indents by more than {MAX_INDENT}")
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
