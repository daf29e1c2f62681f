"""Chat templates: typed turns in, literal template text and the callers' parts out.

The callers' words never pass through a template. Each part is rendered as a placeholder that cannot be
guessed, and the rendered text is split at the placeholders, so ``<image>`` or ``</s>`` in a question stays
words.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment

from ..errors import PromptError
from .messages import ImagePart, Part, Turn

# Each as its model was trained; sources: LLaVA's conversation.py and the model cards of llava-hf.
VICUNA = """\
{%- if messages[0].role != 'system' -%}
A chat between a curious human and an artificial intelligence assistant. \
The assistant gives helpful, detailed, and polite answers to the human's questions.
{%- endif -%}
{%- for m in messages -%}
{%- if m.role == 'system' %}{{ m.content }}
{%- elif m.role == 'assistant' %} ASSISTANT: {{ m.content }}{{ eos_token }}
{%- else %}{{ '' if loop.previtem and loop.previtem.role == 'assistant' else ' ' }}USER: {{ m.content }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt %} ASSISTANT:{% endif -%}"""

MISTRAL = """\
{{- bos_token -}}
{%- set ns = namespace(system='') -%}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{%- set ns.system = m.content + '\n\n' -%}
{%- elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}
{%- else %}[INST] {{ ns.system }}{{ m.content }} [/INST]{%- set ns.system = '' -%}
{%- endif -%}
{%- endfor -%}"""

CHATML = """\
{%- if messages[0].role != 'system' -%}<|im_start|>system\nAnswer the questions.<|im_end|>{%- endif -%}
{%- for m in messages -%}
<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"""


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja chat template and the stop strings that go with it."""

    source: str
    stop: tuple[str, ...] = ()


BUILT_IN = {
    "vicuna": ChatTemplate(VICUNA),
    "mistral": ChatTemplate(MISTRAL),
    "chatml": ChatTemplate(CHATML, ("<|im_end|>",)),
}


def choose_template(name: str | None, in_file: str | None) -> ChatTemplate:
    """The built-in of that name, else the GGUF's own, else Vicuna v1. Raises PromptError for another name."""
    if name is not None:
        if name not in BUILT_IN:
            raise PromptError(
                f"template is {name!r}; allowed: {', '.join(BUILT_IN)}, or None for the model's own"
            )
        return BUILT_IN[name]
    return ChatTemplate(in_file) if in_file else BUILT_IN["vicuna"]


def render(
    template: ChatTemplate,
    turns: Sequence[Turn],
    bos_token: str,
    eos_token: str,
    variables: Mapping[str, Any] | None = None,
) -> list[str | Part]:
    """The prompt as template text (str) and parts, in order, ready for the answer to follow.

    Raises PromptError with the template's own words if it rejects the messages, or if it leaves a part out.
    """
    nonce = secrets.token_hex(8)
    parts = [part for turn in turns for part in turn.parts]
    marker = re.compile(f"\ue000{nonce}-(\\d+)\ue001")
    for as_list in (False, True):  # templates made for processors want a list of typed parts
        text = _run(template.source, _messages(turns, nonce, as_list), bos_token, eos_token, variables or {})
        if sorted(int(i) for i in marker.findall(text)) == list(range(len(parts))):
            pieces = marker.split(text)
            return [parts[int(p)] if i % 2 else p for i, p in enumerate(pieces) if i % 2 or p]
    raise PromptError(
        f"the model's chat template leaves out a part of the messages; choose template= {', '.join(BUILT_IN)}"
    )


def _messages(turns: Sequence[Turn], nonce: str, as_list: bool) -> list[dict[str, Any]]:
    messages, first = [], 0
    for turn in turns:
        content = _join(turn.parts, [f"\ue000{nonce}-{first + i}\ue001" for i in range(len(turn.parts))])
        first += len(turn.parts)
        body = [{"type": "text", "text": content}] if as_list else content
        messages.append({**turn.extra, "role": turn.role, "content": body})
    return messages


def _join(parts: Sequence[Part], markers: Sequence[str]) -> str:
    """An image stands on a line of its own, as in training; text parts follow each other as they are."""
    out = ""
    for i, marker in enumerate(markers):
        if i and isinstance(parts[i], ImagePart) | isinstance(parts[i - 1], ImagePart):
            out += "\n"
        out += marker
    return out


def _run(source: str, messages: Any, bos_token: str, eos_token: str, variables: Mapping[str, Any]) -> str:
    def refuse(reason: str) -> None:
        raise PromptError(f"the model's chat template rejects these messages: {reason}")

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = refuse
    try:
        return environment.from_string(source).render(
            messages=messages,
            add_generation_prompt=True,
            bos_token=bos_token,
            eos_token=eos_token,
            **{"tools": None, **variables},
        )
    except (PromptError, MemoryError):
        raise
    except Exception as error:  # a template is a program: it fails in any way that Python does
        raise PromptError(
            f"the model's chat template failed ({error}); choose template= {', '.join(BUILT_IN)}"
        ) from error
