"""Templates as Hugging Face's are written, and what stops those that use up too much."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime

import pytest
from golden_pair import assistant, image, system, user

from hired_gguf.errors import PromptError
from hired_gguf.prompt import bounds, environment
from hired_gguf.prompt.built_in import ChatTemplate
from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import render

QUESTION = [user("Q")]
NASTY = "say \"hi\" \\ & <b>'x'</b>\n\t\u2028 é猫🐈 \x07"


def prompt(source, messages=QUESTION, **variables):
    """The whole text, words as they stand in it."""
    show = {str: str, TextPart: lambda p: p.text, ImagePart: lambda p: f"{{{p.source}}}"}
    found = render(ChatTemplate(source), parse_messages(messages), "<s>", "</s>", variables)
    return "".join(show[type(piece)](piece) for piece in found)


# What transformers offers


def test_generation_tags():
    source = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}</s>"
        "{% endgeneration %}{% else %}[{{ m.content }}]{% endif %}{% endfor %}"
    )
    assert prompt(source, [user("Q"), assistant("R"), user("S")]) == "[Q]R</s>[S]"


def test_generation_tags_with_blanks_and_loops_inside():
    source = "{%- generation -%}{% for m in messages %}{{ m.content }};{% endfor %}{%- endgeneration -%}"
    assert prompt(source) == "Q;"


def test_strftime_now():
    assert prompt("{{ strftime_now('%Y') }} {{ messages[0].content }}") == f"{datetime.now():%Y} Q"


def test_loop_controls():
    source = "{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}"
    assert prompt(source + "{{ messages[0].content }}") == "01Q"


@pytest.mark.parametrize("words", ["Q", NASTY, "", '"', "\\", "\ud7ff\ue000"])
def test_tojson_of_content_is_json_of_the_words(words):
    found = prompt("{{ messages[0].content | tojson }}", [user(words)])
    assert found == json.dumps(words, ensure_ascii=False)


@pytest.mark.parametrize("words", ["Q", NASTY, "\ue000 é"])
def test_tojson_with_arguments(words):
    message = [user(words)]
    assert prompt("{{ messages[0].content | tojson(ensure_ascii=True) }}", message) == json.dumps(words)
    twice = prompt("{{ messages[0].content | tojson | tojson }}", message)
    assert json.loads(json.loads(twice)) == words
    listed = prompt("{{ {'a': messages[0].content, 'é': [1]} | tojson(indent=2) }}", message)
    assert listed == json.dumps({"a": words, "é": [1]}, indent=2, ensure_ascii=False)
    short = prompt("{{ [messages[0].content] | tojson(separators=(',', ':'), sort_keys=true) }}", message)
    assert json.loads(short) == [words]


def test_tojson_of_a_picture_and_of_a_message():
    found = prompt("{{ messages[0] | tojson }}", [user(image("A"), 'a "b"')])
    assert found == '{"role": "user", "content": "{A}\\na \\"b\\""}'


def test_tojson_leaves_html_alone():
    assert prompt("{{ '<é&>' | tojson }}{{ messages[0].content }}") == '"<é&>"Q'


def test_words_never_become_syntax_through_tojson():
    found = render(
        ChatTemplate("{{ messages[0].content | tojson }}"), parse_messages([user("</s>{{ 1 }}")]), "", ""
    )
    assert found == ['"', TextPart("</s>{{ 1 }}"), '"']


def test_what_every_template_may_use():
    source = (
        "{%- set ns = namespace(n=0) -%}{%- for m in messages if m.role == 'user' -%}"
        "{%- set ns.n = ns.n + 1 -%}{{ loop.index }}/{{ loop.length }}{{ loop.last }}"
        "{%- endfor -%}{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(ns.n) ~ '!' }}"
        "{%- for m in messages -%}{{ m.content | trim }}{%- else -%}none{%- endfor -%}"
        "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
        "{{ nothing }}{% for x in nothing %}{% endfor %}{{ '%s-%d' % ('a', 3) }}{{ 'é'.upper() }}{{ 2 * 3 }}"
    )
    assert prompt(source, [user("Q"), user("R")]) == "1/2False2/2True<2>!QR2a-3É6"


def test_a_recursive_loop():
    source = "{% for x in tree recursive %}{{ x.n }}{{ loop(x.c) }}{% endfor %}{{ messages[0].content }}"
    assert prompt(source, tree=[{"n": 1, "c": [{"n": 2, "c": []}]}, {"n": 3, "c": []}]) == "123Q"


# Refusals name the remedy


MISTRALS = (
    "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}{{ m.content }}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)


def test_a_template_that_takes_no_system_message_says_what_helps():
    with pytest.raises(PromptError) as refused:
        prompt(MISTRALS, [system("S"), user("Q")])
    assert str(refused.value) == (
        "the model's chat template rejects these messages: Conversation roles must alternate "
        "user/assistant/user/assistant/.... It takes no system message: put its words into the question, or "
        "choose template= vicuna, mistral, chatml, llama-3, phi-3, obsidian"
    )


def test_another_refusal_blames_no_system_message():
    with pytest.raises(PromptError, match="may have to alternate; else choose template= vicuna") as refused:
        prompt(MISTRALS, [system("S"), user("Q"), user("R")])
    assert "no system message" not in str(refused.value)


# Bounds

GREEDY = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "loops that write": "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "macros": "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "recursion": "{% for x in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "power": "{{ 9**99999999999 }}",
    "squares": "{% set n = namespace(x=3) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "times": "{{ 'x' * 10**11 }}",
    "lists": "{{ [1] * 10**11 }}",
    "joined": "{% set n = namespace(s='xx') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "added": "{% set n = namespace(s='xx') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "blocks": "{% set n = namespace(s='xx') %}{% for i in range(60) %}{% set s %}{{ n.s }}{{ n.s }}"
    "{% endset %}{% set n.s = s %}{% endfor %}",
    "width": "{{ '%99999999999d' % 1 }}",
    "star": "{{ '%*d' % (99999999999, 1) }}",
    "format": "{{ '{:99999999999}'.format(1) }}",
    "nested format": "{{ '{:{}}'.format(1, 99999999999) }}",
    "filter format": "{{ '%99999999999d' | format(1) }}",
    "center": "{{ 'x' | center(10**11) }}",
    "ljust": "{{ 'x'.ljust(10**11) }}",
    "indent": "{{ 'x\\ny' | indent(10**11) }}",
    "replace": "{% set s = 'x' * 99999 %}{{ s | replace('x', s) }}",
    "method replace": "{% set s = 'x' * 99999 %}{{ s.replace('x', s) }}",
    "join": "{{ range(99999) | join('x' * 99999) }}",
    "round": "{{ 1.5 | round(10**11) }}",
    "hoard": "{% set n = namespace(l=[]) %}{% for i in range(9999) %}"
    "{% set n.l = n.l + ['x' * 9999999] %}{% endfor %}",
    "hoard of calls": "{% set s = 'x' * 9999999 %}{% set n = namespace(l=[]) %}{% for i in range(9999) %}"
    "{% set n.l = n.l + [s.upper()] %}{% endfor %}",
    "lists of lists": "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}"
    "{% endfor %}{{ n.x }}",
    "lists compared": "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(60) %}"
    "{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}",
    "tuples as keys": "{% set n = namespace(x=(1,)) %}{% for i in range(60) %}{% set n.x = (n.x, n.x) %}"
    "{% endfor %}{{ {n.x: 1} }}",
    "namespaces in namespaces": "{% set n = namespace(x=namespace(a=1)) %}{% for i in range(60) %}"
    "{% set n.x = namespace(a=n.x, b=n.x) %}{% endfor %}{{ n.x }}",
    "sum of lists": "{% set x = [[0] * 9999] * 9999 %}{{ x | sum(start=[]) | length }}",
    "sum of short lists": "{% set x = [[0] * 99] * 9999 %}{{ x | sum(start=[]) | length }}",
    "to_bytes": "{{ (1).to_bytes(10**10, 'big') }}",
    "bytes": "{{ 'a'.encode() * 10**10 }}",
    "translate": "{{ ('a' * 99999).translate({97: 'b' * 99999}) }}",
    "indented json": "{{ [[[[1]]]] | tojson(indent=10**9) }}",
    "indented by text": "{{ [[[[1]]]] | tojson(indent='x' * 99999) }}",
    "words in a loop": "{% for i in range(99999) %}" + "x" * 999 + "{% endfor %}",
    "words in a macro": "{% macro f() %}"
    + "x" * 99999
    + "{% endmacro %}{% for i in range(9999) %}{{ f() }}{% endfor %}",
    "slices": "{% set s = 'x' * 999999 %}{% for i in range(9999) %}{% set t = s[1:] %}{% endfor %}",
    "searches": "{% set x = range(99999) | list %}{% for i in x %}{{ -1 in x }}{% endfor %}",
    "tests": "{% for i in range(9999) %}{{ range(99999) | select('in', 'x' * 9999) | list }}{% endfor %}",
    "range": "{{ range(10**11) | list }}",
    "cycles": "{% for i in range(99999) %}{{ (range(99999) | list) | length }}{% endfor %}",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", GREEDY)
def test_a_template_is_stopped(kind, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_SECONDS", 0.5)
    started = time.monotonic()
    with pytest.raises(PromptError, match=r"the model's chat template failed \(.*choose template= vicuna"):
        prompt(GREEDY[kind] + "{{ messages[0].content }}")
    assert time.monotonic() - started < 8


def test_formats_of_everyday_are_served():
    source = (
        "{{ '20240101 **%s** {\"a\": {\"b\": %d}}' % ('x', 3) }}{{ '{{\"a\": {}}}'.format(7) }}"
        "{{ '%05.1f' | format(2.5) }}{{ messages[0].content }}"
    )
    assert prompt(source) == '20240101 **x** {"a": {"b": 3}}{"a": 7}002.5Q'


@pytest.mark.parametrize("name", environment.LEFT_OUT)
def test_filters_that_no_chat_template_needs_are_not_there(name):
    with pytest.raises(PromptError, match=f"No filter named '{name}'"):
        prompt("{{ 'a' | " + name + " }}{{ messages[0].content }}")


def test_messages_of_templates_are_short_and_name_no_place_in_memory():
    for source in ("{{ raise_exception('x' * 99999) }}", "{{ ('x' * 99999).y.z }}", "{{ cycler(1) + 1 }}"):
        with pytest.raises(PromptError) as caught:
            prompt(source)
        assert len(str(caught.value)) < 1000
        assert "0x" not in str(caught.value)


def test_what_stopped_it_is_told():
    with pytest.raises(PromptError, match=re.escape("(it runs for more than 2000000 steps)")):
        prompt(GREEDY["loops"])


def test_a_long_conversation_is_within_the_bounds():
    messages = [m for i in range(5000) for m in (user(f"Q{i}"), assistant("R"))]
    assert prompt(MISTRALS, [*messages, user("S")]).endswith("[INST] S [/INST]")
