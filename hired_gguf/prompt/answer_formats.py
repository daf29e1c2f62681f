"""Answers of a given form: tools that must be called, and grammars from response formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import PromptError, shown
from .json_grammar import JsonGrammar

Tool = Mapping[str, Any]
ToolChoice = str | Mapping[str, Any] | None


def as_tools(
    functions: Sequence[Mapping[str, Any]] | None,
    function_call: ToolChoice,
    tools: Sequence[Tool] | None,
    tool_choice: ToolChoice,
) -> tuple[Sequence[Tool] | None, ToolChoice]:
    """The older ``functions`` and ``function_call`` in the form of ``tools`` and ``tool_choice``."""
    if functions is not None:
        tools = [{"type": "function", "function": function} for function in functions]
    if isinstance(function_call, Mapping):
        tool_choice = {"type": "function", "function": {"name": function_call.get("name")}}
    elif function_call is not None:
        tool_choice = function_call
    return tools, tool_choice


def forced_tool(tools: Sequence[Tool] | None, tool_choice: ToolChoice) -> Tool | None:
    """The tool that must be called, if one must. Raises PromptError for a name that no tool has."""
    if isinstance(tool_choice, str) and tool_choice == "required" and tools is not None and len(tools) == 1:
        return tools[0]
    if not isinstance(tool_choice, Mapping):
        return None
    function = tool_choice.get("function")
    if not isinstance(function, Mapping):
        raise PromptError(f"tool_choice is {shown(dict(tool_choice))}; it must hold a function with a name")
    name = function.get("name")
    for tool in tools or []:
        if isinstance(name, str) and tool["function"]["name"] == name:
            return tool
    names = ", ".join(t["function"]["name"] for t in tools or []) or "none were given"
    raise PromptError(f"tool_choice names {shown(name)}; tools: {names}")


def answer_grammar(response_format: Mapping[str, Any] | None, tool: Tool | None) -> JsonGrammar | None:
    """The grammar that a response format or a forced tool asks for. Raises PromptError for another format."""
    if tool is not None:
        return _schema_grammar(tool["function"].get("parameters", {}), "the tool's parameters")
    if response_format is None:
        return None
    if not isinstance(response_format, Mapping):
        raise PromptError(f"response_format is a {type(response_format).__name__}; it must be a dict")
    given = response_format.get("type", "text")
    kind = given if isinstance(given, str) else None  # an array is compared item by item
    if kind == "text":
        return None
    if kind == "json_object":
        schema = response_format.get("schema")
        return _schema_grammar({"type": "object"} if schema is None else schema, "response_format.schema")
    if kind == "json_schema":
        spec = response_format.get("json_schema") or {}
        if "schema" not in spec:
            raise PromptError("response_format.json_schema holds no schema")
        return _schema_grammar(spec["schema"], "response_format.json_schema.schema")
    raise PromptError(f"response_format.type is {shown(given)}; allowed: text, json_object, json_schema")


def _schema_grammar(schema: Any, where: str) -> JsonGrammar:
    from .json_schema import schema_grammar  # noqa: PLC0415  its libraries take long to load

    return schema_grammar(schema, where)
