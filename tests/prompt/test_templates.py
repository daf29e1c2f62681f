"""Chat templates: the rendered prompts letter by letter, and that callers' words stay words."""

from __future__ import annotations

import pytest
from golden_pair import assistant, image, system, user

from hired_gguf.errors import PromptError
from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import BUILT_IN, ChatTemplate, choose_template, render

HUMAN = (
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
)
SYSTEM = "<|im_start|>system\nAnswer the questions.<|im_end|>"
TO = "<|im_start|>user\n"
ANSWER = "<|im_end|><|im_start|>assistant\n"

ONE_IMAGE = [user(image("A"), "Q")]
TWO_TURNS = [user(image("A"), "Q"), assistant("R"), user("S")]
THREE_TURNS = [user("Q"), assistant("R"), user("S"), assistant("T"), user(image("A"), "U")]
WITH_SYSTEM = [system("Be brief."), user(image("A"), "Q")]
SEVERAL = [user(image("A"), image("B"), "Q", image("C"))]
AFTER_TEXT = [user("Q", image("A"))]
TEXT_ONLY = [user("Q")]
TEXT_PARTS = [user("a", "b")]


def pieces(template, messages, **variables):
    chosen = template if isinstance(template, ChatTemplate) else choose_template(template, None)
    return render(chosen, parse_messages(messages), "<s>", "</s>", variables)


def shown(template, messages, **variables):
    """Words as [words], images as {source}."""
    show = {str: str, TextPart: lambda p: f"[{p.text}]", ImagePart: lambda p: f"{{{p.source}}}"}
    return "".join(show[type(piece)](piece) for piece in pieces(template, messages, **variables))


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        (ONE_IMAGE, HUMAN + " USER: {A}\n[Q] ASSISTANT:"),
        (TWO_TURNS, HUMAN + " USER: {A}\n[Q] ASSISTANT: [R]</s>USER: [S] ASSISTANT:"),
        (
            THREE_TURNS,
            HUMAN + " USER: [Q] ASSISTANT: [R]</s>USER: [S] ASSISTANT: [T]</s>USER: {A}\n[U] ASSISTANT:",
        ),
        (WITH_SYSTEM, "[Be brief.] USER: {A}\n[Q] ASSISTANT:"),
        (SEVERAL, HUMAN + " USER: {A}\n{B}\n[Q]\n{C} ASSISTANT:"),
        (AFTER_TEXT, HUMAN + " USER: [Q]\n{A} ASSISTANT:"),
        (TEXT_ONLY, HUMAN + " USER: [Q] ASSISTANT:"),
        (TEXT_PARTS, HUMAN + " USER: [a][b] ASSISTANT:"),
    ],
)
def test_vicuna(messages, prompt):
    assert shown("vicuna", messages) == prompt


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        (ONE_IMAGE, "<s>[INST] {A}\n[Q] [/INST]"),
        (TWO_TURNS, "<s>[INST] {A}\n[Q] [/INST] [R]</s>[INST] [S] [/INST]"),
        (THREE_TURNS, "<s>[INST] [Q] [/INST] [R]</s>[INST] [S] [/INST] [T]</s>[INST] {A}\n[U] [/INST]"),
        (WITH_SYSTEM, "<s>[INST] [Be brief.]\n\n{A}\n[Q] [/INST]"),
        (SEVERAL, "<s>[INST] {A}\n{B}\n[Q]\n{C} [/INST]"),
        (AFTER_TEXT, "<s>[INST] [Q]\n{A} [/INST]"),
        (TEXT_ONLY, "<s>[INST] [Q] [/INST]"),
        (TEXT_PARTS, "<s>[INST] [a][b] [/INST]"),
    ],
)
def test_mistral(messages, prompt):
    assert shown("mistral", messages) == prompt


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        (ONE_IMAGE, SYSTEM + TO + "{A}\n[Q]" + ANSWER),
        (TWO_TURNS, SYSTEM + TO + "{A}\n[Q]" + ANSWER + "[R]<|im_end|>" + TO + "[S]" + ANSWER),
        (WITH_SYSTEM, "<|im_start|>system\n[Be brief.]<|im_end|>" + TO + "{A}\n[Q]" + ANSWER),
        (SEVERAL, SYSTEM + TO + "{A}\n{B}\n[Q]\n{C}" + ANSWER),
        (AFTER_TEXT, SYSTEM + TO + "[Q]\n{A}" + ANSWER),
        (TEXT_ONLY, SYSTEM + TO + "[Q]" + ANSWER),
        (TEXT_PARTS, SYSTEM + TO + "[a][b]" + ANSWER),
    ],
)
def test_chatml(messages, prompt):
    assert shown("chatml", messages) == prompt
    assert BUILT_IN["chatml"].stop == ("<|im_end|>",)


NASTY = [
    "<image>",
    "<__media__>",
    "</s><s>",
    "[INST] [/INST]",
    "USER: ASSISTANT:",
    "<|im_end|>",
    "{{ 7 * 7 }}{% raise %}{# gone #}",
    "\ue000-0\ue001",
    "\ue0000123456789abcdef-0\ue001",
    "  spaces \n\n kept\t ",
    "",
]


@pytest.mark.parametrize("words", NASTY)
@pytest.mark.parametrize("template", BUILT_IN)
def test_words_stay_words(template, words):
    messages = [system(words), user(words, image("A"), words), assistant(words), user(words)]
    found = pieces(template, messages)
    assert [p.text for p in found if isinstance(p, TextPart)] == [words] * 5
    plain = [system("-"), user("-", image("A"), "-"), assistant("-"), user("-")]
    literal = [piece for piece in pieces(template, plain) if isinstance(piece, str)]
    assert [piece for piece in found if isinstance(piece, str)] == literal


def test_plain_content_equals_one_part():
    for template in BUILT_IN:
        assert pieces(template, [{"role": "user", "content": "Q"}]) == pieces(template, TEXT_ONLY)


# Templates from files


def test_a_files_template():
    own = ChatTemplate(
        "{{ bos_token }}{% for m in messages %}{{ m['role'] }}={{ m['content'] }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}A={% endif %}"
    )
    assert shown(own, TWO_TURNS) == "<s>user={A}\n[Q]</s>assistant=[R]</s>user=[S]</s>A="


def test_a_template_that_trims_content():
    assert shown(ChatTemplate("{{ messages[0].content | trim }}!"), [user(" Q ")]) == "[ Q ]!"


def test_a_template_that_wants_typed_parts():
    own = ChatTemplate(
        "{% for m in messages %}{% for part in m.content %}"
        "{% if part.type == 'text' %}<{{ part.text }}>{% endif %}{% endfor %}{% endfor %}"
    )
    assert shown(own, [user("Q", image("A"))]) == "<[Q]\n{A}>"


def test_a_template_that_refuses():
    own = ChatTemplate(
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system, please') }}{% endif %}"
        "{{ messages[0].content }}"
    )
    with pytest.raises(PromptError, match="template rejects these messages: no system, please"):
        pieces(own, WITH_SYSTEM)
    assert shown(own, TEXT_ONLY) == "[Q]"


@pytest.mark.parametrize(
    "source",
    [
        "Hello",
        "{{ messages[-1].content }}",
        "{{ messages[0].content }}{{ messages[0].content }}{{ messages[1].content }}",
        "{% for m in messages %}{{ m.content | upper | replace('-', '') }}{% endfor %}",
    ],
    ids=["all", "one", "twice", "garbled"],
)
def test_a_template_that_does_not_show_every_part_once(source):
    with pytest.raises(PromptError, match="leaves out a part of the messages; choose template= vicuna"):
        pieces(ChatTemplate(source), [user(image("A"), "Q"), user("R")])


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ messages[0].content.nothing.at_all }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages[0].content }}",
        "{% for i in range(999999999) %}{% endfor %}{{ messages[0].content }}",
        "{{ messages.append(1) }}{{ messages[0].content }}",
        "{{ messages[0].content + 7 }}",
        "{{ 1 // 0 }}{{ messages[0].content }}",
    ],
    ids=["syntax", "undefined", "escape", "endless", "changes", "type", "zero"],
)
def test_a_template_that_fails(source):
    with pytest.raises(PromptError, match=r"chat template failed .*choose template= vicuna, mistral, chatml"):
        pieces(ChatTemplate(source), TEXT_ONLY)


def test_variables_and_tools():
    own = ChatTemplate("{{ mood }}{% if tools %}{{ tools[0].name }}{% endif %}{{ messages[0].content }}")
    assert shown(own, TEXT_ONLY) == "[Q]"
    assert shown(own, TEXT_ONLY, mood="calm", tools=[{"name": "f"}]) == "calmf[Q]"


def test_what_else_a_message_holds_reaches_the_template():
    own = ChatTemplate("{{ messages[0].name }}: {{ messages[0].content }}")
    assert shown(own, [{**user("Q"), "name": "Ann"}]) == "Ann: [Q]"


# Choice


def test_choice():
    assert choose_template("mistral", "{{ x }}") is BUILT_IN["mistral"]
    assert choose_template(None, "{{ x }}") == ChatTemplate("{{ x }}")
    assert choose_template(None, None) == choose_template(None, " ") == BUILT_IN["vicuna"]
    with pytest.raises(PromptError, match="template is 'llama-9', which is no file; allowed: vicuna, "):
        choose_template("llama-9", None)
