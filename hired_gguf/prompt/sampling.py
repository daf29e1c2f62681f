"""The values that shape an answer, checked: llama.cpp accepts most wrong values silently."""

from __future__ import annotations

import difflib
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import llama_cpp
import numpy as np

from ..errors import PromptError, shown
from ..model_files.gguf_fields import INT32_MAX
from ..selection.budget import BUDGET_OPTIONS

#: Keyword arguments of ``Llama.create_completion`` that shape how a token is drawn.
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

_HANDLED_HERE = (
    "stop",
    "max_tokens",
    "grammar",
    "response_format",
    "tools",
    "tool_choice",
    "functions",
    "function_call",
    "logprobs",
    "top_logprobs",
    *BUDGET_OPTIONS,
)

_NUMBERS = (
    "temperature",
    "top_p",
    "min_p",
    "typical_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "tfs_z",
    "mirostat_tau",
    "mirostat_eta",
)
_WHOLE_NUMBERS = {  # as far as the C types behind them reach
    "top_k": (-(2**31), INT32_MAX),
    "seed": (0, 2**32 - 1),
    "mirostat_mode": (0, 2),
    "top_logprobs": (0, INT32_MAX),
    "max_tokens": (-(2**63), 2**63 - 1),
}


def check_names(options: Mapping[str, Any]) -> None:
    """Reject a misspelt option, which would otherwise have no effect. Raises PromptError."""
    known = PASSED_ON + _HANDLED_HERE
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"allowed: {', '.join(known)}"
            raise PromptError(f"there is no option {shown(name)}; {hint}")


def check_sampling(values: Mapping[str, Any], n_vocab: int) -> None:
    """Reject values that llama.cpp accepts silently and then samples nonsense from. Raises PromptError."""
    for name in _NUMBERS:
        _number(name, values.get(name))
    for name, (low, high) in _WHOLE_NUMBERS.items():
        value = values.get(name)
        if value is not None and not isinstance(value, (int, np.integer)):
            raise PromptError(f"{name} is {shown(value)}; it must be a whole number")
        if value is not None and not low <= value <= high:
            raise PromptError(f"{name} is {shown(value)}; allowed: {low} to {high}")
    temperature = values.get("temperature")
    if temperature is not None and temperature < 0:
        raise PromptError(f"temperature is {temperature}; it must be at least 0")
    _check_bias(values.get("logit_bias"), n_vocab)


def _number(name: str, value: Any) -> None:
    value = value.item() if isinstance(value, np.generic) else value
    if value is not None and not isinstance(value, Real):
        raise PromptError(f"{name} is {shown(value)}; it must be a number")
    if value is not None and not _is_finite(value):
        raise PromptError(f"{name} is {shown(value)}; it must be finite")


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number larger than any float
        return False


def _check_bias(bias: Any, n_vocab: int) -> None:
    if bias is not None and not isinstance(bias, Mapping):
        raise PromptError(f"logit_bias is a {type(bias).__name__}; it must be a dict of ids and numbers")
    for token, value in (bias or {}).items():
        if not _is_token(token, n_vocab):
            raise PromptError(f"logit_bias names token {shown(token)}; allowed: 0 to {n_vocab - 1}")
        _number(f"logit_bias[{token}]", value)


def _is_token(token: Any, n_vocab: int) -> bool:
    """Ids are numbers or, as JSON has its keys, their digits."""
    if isinstance(token, str):
        return token.isdecimal() and len(token) < 20 and int(token) < n_vocab
    whole = isinstance(token, (int, np.integer)) and not isinstance(token, bool)
    return whole and bool(0 <= token < n_vocab)


def random_seed() -> int:
    """A seed for answers that shall differ: where none is given, llama-cpp-python's is constant."""
    return secrets.randbelow(2**32)


def stop_strings(stop: str | Sequence[str] | None, of_template: Sequence[str]) -> list[str]:
    """The caller's stop strings and the template's. None or an empty list is none.

    Raises PromptError for an empty string, which stands in every answer, and for what is no string.
    """
    given = [stop] if isinstance(stop, (str, bytes)) else stop if stop is not None else []
    if not isinstance(given, (list, tuple)):
        raise PromptError(f"stop is a {type(stop).__name__}; allowed: a string, a list of strings, or None")
    for i, text in enumerate(given):
        where = "stop" if isinstance(stop, (str, bytes)) else f"stop[{i}]"
        if not isinstance(text, str):
            raise PromptError(f"{where} is {shown(text)}; it must be a string")
        if not text:
            raise PromptError(f"{where} is an empty string, which stands in every answer; leave it out")
    return [*given, *(s for s in of_template if s not in given)]


Processor = Callable[..., Any]


def sampler_options(
    sampling: Mapping[str, Any], mask: Processor | None, guard: Callable[[Processor], Processor]
) -> dict[str, Any]:
    """The arguments of ``Llama.generate``. The caller's processors come first, then his bias, then the mask.

    ``guard`` wraps the caller's. llama-cpp-python's own ``create_completion`` drops them beside a bias.
    """
    options = {name: value for name, value in sampling.items() if name not in ("seed", "model")}
    options["temp"] = options.pop("temperature")
    given, bias = options.pop("logits_processor", None) or (), options.pop("logit_bias", None)
    own = [given] if callable(given) and not isinstance(given, list) else list(given)
    processors = [guard(processor) for processor in own]
    if bias:
        processors.append(_biased({int(token): float(value) for token, value in bias.items()}))
    if mask is not None:
        processors.append(mask)
    options["logits_processor"] = llama_cpp.LogitsProcessorList(processors) if processors else None
    return options


def _biased(bias: Mapping[int, float]) -> Callable[..., Any]:
    tokens, values = np.array(list(bias)), np.array(list(bias.values()), np.single)

    def add(ids: Any, scores: Any) -> Any:
        changed = np.array(scores)
        changed[tokens] += values
        return changed

    return add
