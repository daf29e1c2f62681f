"""What shapes an answer besides its prompt: sampling values, stop strings, formats and forced tools."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import llama_cpp
from llama_cpp import llama_chat_format

from .errors import PromptError

Messages = Sequence[Mapping[str, Any]]
Tool = Mapping[str, Any]
ToolChoice = str | Mapping[str, Any] | None

#: Keyword arguments that go to ``Llama.create_completion`` as they are.
PASSED_ON = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "tfs_z",
    "mirostat_mode",
    "mirostat_tau",
    "mirostat_eta",
    "model",
    "logits_processor",
    "logit_bias",
)


def check_sampling(values: Mapping[str, Any], n_vocab: int) -> None:
    """Refuse what llama.cpp takes without a word and then samples nonsense from. Raises PromptError."""
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise PromptError(f"{name} is {value}; it must be finite")
    temperature = values.get("temperature")
    if temperature is not None and temperature < 0:
        raise PromptError(f"temperature is {temperature}; it must be at least 0")
    seed = values.get("seed")
    if seed is not None and not 0 <= seed < 2**32:
        raise PromptError(f"seed is {seed}; allowed: 0 to {2**32 - 1}")
    for token in values.get("logit_bias") or {}:
        if not 0 <= int(token) < n_vocab:
            raise PromptError(f"logit_bias names token {token}; allowed: 0 to {n_vocab - 1}")


def stop_strings(stop: str | Sequence[str] | None, of_template: Sequence[str]) -> list[str]:
    """The caller's stop strings and the template's."""
    given = [stop] if isinstance(stop, str) else list(stop or [])
    return given + [s for s in of_template if s not in given]


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
        tool_choice = {"type": "function", "function": {"name": function_call["name"]}}
    elif function_call is not None:
        tool_choice = function_call
    return tools, tool_choice


def forced_tool(tools: Sequence[Tool] | None, tool_choice: ToolChoice) -> Tool | None:
    """The tool that must be called, if one must. Raises PromptError for a name that no tool has."""
    if tool_choice == "required" and tools is not None and len(tools) == 1:
        return tools[0]
    if not isinstance(tool_choice, Mapping):
        return None
    name = tool_choice["function"]["name"]
    for tool in tools or []:
        if tool["function"]["name"] == name:
            return tool
    names = ", ".join(t["function"]["name"] for t in tools or []) or "none were given"
    raise PromptError(f"tool_choice names {name!r}; tools: {names}")


def answer_grammar(
    response_format: Mapping[str, Any] | None, tool: Tool | None
) -> llama_cpp.LlamaGrammar | None:
    """The grammar that a response format or a forced tool asks for. Raises PromptError for another format."""
    if tool is not None:
        return _schema_grammar(tool["function"].get("parameters", {}), "the tool's parameters")
    kind = (response_format or {}).get("type", "text")
    if response_format is None or kind == "text":
        return None
    if kind == "json_object":
        return llama_chat_format._grammar_for_response_format(response_format)
    if kind == "json_schema":
        spec = response_format.get("json_schema") or {}
        if "schema" not in spec:
            raise PromptError("response_format.json_schema holds no schema")
        return _schema_grammar(spec["schema"], "response_format.json_schema.schema")
    raise PromptError(f"response_format.type is {kind!r}; allowed: text, json_object, json_schema")


def _schema_grammar(schema: Any, where: str) -> llama_cpp.LlamaGrammar:
    try:
        return llama_cpp.LlamaGrammar.from_json_schema(json.dumps(schema), verbose=False)
    except Exception as error:  # the converter raises nearly anything on a schema that it does not know
        raise PromptError(f"{where} cannot be made a grammar: {error}") from error
