"""The built-in chat templates, each as its models were trained."""

from __future__ import annotations

from dataclasses import dataclass, field

# Sources: LLaVA's conversation.py (llava_v1, chatml_direct); the model cards of llava-hf, Meta-Llama-3, Phi-3
# and Obsidian.
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

LLAMA_3 = """\
{{- bos_token -}}
{%- for m in messages -%}
<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif -%}"""

PHI_3 = """\
{{- bos_token -}}
{%- for m in messages -%}
{{ '<|' ~ m.role ~ '|>\n' }}{{ m.content }}{{ '<|end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\n' }}{%- endif -%}"""

OBSIDIAN = """\
{%- for m in messages -%}
<|im_start|>{{ m.role }}\n{{ m.content }}{{ '\n###\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"""


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja chat template and the stop strings that go with it. ``name`` and ``why`` tell where it is from.

    ``why`` is empty where nothing was guessed: the caller named it, or it is the file's own.
    """

    source: str
    stop: tuple[str, ...] = ()
    name: str = field(default="the model's own", compare=False)
    why: str = field(default="", compare=False)


BUILT_IN = {
    template.name: template
    for template in (
        ChatTemplate(VICUNA, name="vicuna"),
        ChatTemplate(MISTRAL, name="mistral"),
        ChatTemplate(CHATML, ("<|im_end|>",), name="chatml"),
        ChatTemplate(LLAMA_3, ("<|eot_id|>",), name="llama-3"),
        ChatTemplate(PHI_3, ("<|end|>",), name="phi-3"),
        ChatTemplate(OBSIDIAN, ("###", "<|im_end|>"), name="obsidian"),
    )
}
NAMES = ", ".join(BUILT_IN)
