"""What one call asks for: the keyword arguments of ``create_chat_completion``, sorted and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp

from ..errors import PromptError
from ..native.llama import keeps_logits, require_grammar
from ..prompt.answer_formats import Tool, answer_grammar, as_tools, forced_tool
from ..prompt.json_grammar import JsonGrammar
from ..prompt.pictures import refuse_picture
from ..prompt.sampling import PASSED_ON, check_sampling, stop_strings
from ..selection.budget import BUDGET_OPTIONS, TokenBudget

TEMPERATURE = 0.2  # create_chat_completion's own default


@dataclass(frozen=True)
class Request:
    """A call's options. ``sampling`` is how tokens are drawn, ``variables`` go to the template.

    ``max_tokens`` is None or not positive for as many as fit. ``tool`` must be called. ``logprobs`` is how
    many alternatives each token brings its logarithm with, or None.
    """

    budget: TokenBudget
    sampling: Mapping[str, Any]
    max_tokens: int | None
    stop: str | Sequence[str] | None
    logprobs: int | None
    tool: Tool | None
    grammar: llama_cpp.LlamaGrammar | JsonGrammar | None
    variables: Mapping[str, Any]

    @property
    def tool_name(self) -> str | None:
        """The name of the tool that must be called."""
        return None if self.tool is None else self.tool["function"]["name"]


def read_request(llama: llama_cpp.Llama, budget: TokenBudget, options: Mapping[str, Any]) -> Request:
    """The options of a call, None for one that is not given; ``budget`` is what holds where they say nothing.

    What neither sampling nor `TokenBudget` knows is a variable for the chat template. Raises PromptError,
    BudgetError.
    """
    given = dict(options)
    changes: dict[str, Any] = {name: given.pop(name) for name in BUDGET_OPTIONS if name in given}
    sampling = {"temperature": TEMPERATURE, **_taken(given, PASSED_ON)}
    wanted = _taken(given, ("max_tokens", "stop", "logprobs", "top_logprobs", "grammar", "response_format"))
    tools, choice = as_tools(
        given.pop("functions", None),
        given.pop("function_call", None),
        given.pop("tools", None),
        given.pop("tool_choice", None),
    )
    tool = forced_tool(tools, choice)
    request = Request(
        budget=budget.changed(**changes),
        sampling=sampling,
        max_tokens=wanted.get("max_tokens"),
        stop=wanted.get("stop"),
        logprobs=wanted.get("top_logprobs", 0) if wanted.get("logprobs") else None,
        tool=tool,
        grammar=answer_grammar(wanted.get("response_format"), tool) or wanted.get("grammar"),
        variables={"tools": tools, **given},
    )
    _check(llama, request, wanted)
    return request


def _taken(options: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of the names that have a value, taken out."""
    return {name: value for name in names if (value := options.pop(name, None)) is not None}


def _check(llama: llama_cpp.Llama, request: Request, wanted: Mapping[str, Any]) -> None:
    """Reject what llama.cpp would accept silently, or crash on. Raises PromptError."""
    if wanted.get("logprobs") and not keeps_logits(llama):
        raise PromptError("logprobs need Llama(logits_all=True)")
    stop_strings(request.stop, ())
    for name, value in request.variables.items():
        if name != "tools":
            refuse_picture(name, value, name)
    if request.grammar is not None and not isinstance(request.grammar, JsonGrammar):
        require_grammar(llama, request.grammar)
    numbers = {name: wanted.get(name) for name in ("max_tokens", "top_logprobs")}
    check_sampling({**request.sampling, **numbers}, llama.n_vocab())
