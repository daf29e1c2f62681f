"""Templates from files: of Jinja, of Hugging Face's JSON, and a broken one in a model's own file."""

from __future__ import annotations

import json
import re

import gguf
import pytest
from bare_handler import TEXT_ONLY
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, assistant, image, user

from hired_gguf import HiREDChatHandler, LlavaNext, PromptError
from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import named_template, render, template_identity

STRING = gguf.GGUFValueType.STRING
TURNS = [user(image("A"), "Q"), assistant("R"), user("S")]


def shown(template, messages):
    """Words as [words], images as {source}."""
    show = {str: str, TextPart: lambda p: f"[{p.text}]", ImagePart: lambda p: f"{{{p.source}}}"}
    return "".join(show[type(p)](p) for p in render(template, parse_messages(messages), "<s>", "</s>"))


def test_a_file_of_jinja(tmp_path, llama):
    path = tmp_path / "my template.jinja"
    path.write_text("{% for m in messages %}<{{ m.content }}>{% endfor %}", encoding="utf-8-sig")
    for given in (path, str(path)):
        chosen = named_template(given)
        assert shown(chosen, TURNS) == "<{A}\n[Q]><[R]><[S]>"
        assert chosen.name == str(path)
    handler = HiREDChatHandler(MMPROJ, template=path)
    path.unlink()  # it was read
    assert handler(llama=llama, messages=TEXT_ONLY, max_tokens=1)["usage"]["completion_tokens"] == 1


def test_a_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.jinja").write_text("{{ messages[0].content }}!")
    assert shown(named_template("~/t.jinja"), [user("Q")]) == "[Q]!"


@pytest.mark.parametrize(
    "held",
    [
        {"chat_template": "{{ messages[0].content }}!"},
        {
            "chat_template": [
                {"name": "tool_use", "template": "x"},
                {"name": "default", "template": "{{ messages[0].content }}!"},
            ]
        },
    ],
)
def test_hugging_faces_json_files(tmp_path, held):
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps(held))
    assert shown(named_template(path), [user("Q")]) == "[Q]!"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "which is no file; allowed: vicuna, mistral, chatml, llama-3, phi-3, obsidian, the path of a"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not UTF-8 text"),
        (b"line\n{% if %}", ", line 2: Expected an expression"),
        (b"{% endfor %}", ", line 1: Encountered unknown tag 'endfor'"),
        (b"{{" + b"(" * 5000, "template "),
        (b"x" * (1 << 21), "is longer than 1048576 bytes"),
        (b'{"a": 1}', "is JSON without a text 'chat_template'"),
        (b'{"chat_template": [{"name": "x"}]}', "is JSON without a text 'chat_template'"),
    ],
)
def test_files_that_are_refused(tmp_path, content, words):
    path = tmp_path / "t.jinja"
    if content is not None:
        path.write_bytes(content)
    for use in (named_template, lambda template: HiREDChatHandler(MMPROJ, template=template)):
        with pytest.raises(PromptError, match=re.escape(words)):
            use(str(path))


@pytest.mark.parametrize("given", ["", "llama_3", "Vicuna", "no\0file", "x" * 5000])
def test_names_that_are_none(given):
    with pytest.raises(PromptError, match="template"):
        named_template(given)


def test_another_type_is_refused():
    with pytest.raises(
        PromptError, match=r"template is a int; allowed: vicuna, .*, the path of a Jinja file"
    ):
        HiREDChatHandler(MMPROJ, template=7)


def test_identity_goes_by_the_text_of_a_file(tmp_path):
    assert (template_identity(None), template_identity("phi-3")) == (None, "phi-3")
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("{{ 1 }}")
    second.write_text("{{ 1 }}")
    before = template_identity(first)
    assert before == template_identity(str(second)) != None  # noqa: E711
    first.write_text("{{ 2 }}")
    assert template_identity(first) != before


# A file's own template that is no template


@pytest.mark.parametrize("broken", ["{% if %}", "{{ 9**99999999999 }}", "{% nonsense %}", "{{" + "(" * 5000])
def test_a_broken_template_does_not_stop_another(tmp_path, tiny, broken):
    text = rewrite(tiny[0], tmp_path / "text.gguf", keys={"tokenizer.chat_template": (broken, STRING)})
    with LlavaNext(text, tiny[1], template="vicuna", n_ctx=512, n_threads=1) as llm:
        right = llm.ask(None, "Why?", max_tokens=3).text
        assert llm.llama.metadata["tokenizer.chat_template"] == broken
    with LlavaNext(*tiny, template="vicuna", n_ctx=512, n_threads=1) as llm:
        assert llm.ask(None, "Why?", max_tokens=3).text == right
    words = r"the model's chat template failed \(.*choose template= vicuna"
    with LlavaNext(text, tiny[1], n_ctx=512, n_threads=1) as llm, pytest.raises(PromptError, match=words):
        llm.ask(None, "Why?", max_tokens=3)
