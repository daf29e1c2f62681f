"""Which template a model gets: by name, by file, its own, or by what its file says of itself."""

from __future__ import annotations

import logging

import gguf
import pytest
from bare_handler import TEXT_ONLY, llama_of
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, TEXT, assistant, image, system, user

from hired_gguf.prompt.families import ModelFacts
from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import BUILT_IN, choose_template, render

STRING = gguf.GGUFValueType.STRING
LLAMA_3 = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
PHI_3 = ("<|user|>", "<|assistant|>", "<|end|>", "<|system|>")
CHATML = ("<|im_start|>", "<|im_end|>")
USUAL_CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
    "'<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def shown(template, messages):
    """Words as [words], images as {source}."""
    show = {str: str, TextPart: lambda p: f"[{p.text}]", ImagePart: lambda p: f"{{{p.source}}}"}
    return "".join(show[type(p)](p) for p in render(template, parse_messages(messages), "<s>", "</s>"))


TURNS = [user(image("A"), "Q"), assistant("R"), user("S")]


@pytest.mark.parametrize(
    ("name", "prompt", "with_system"),
    [
        (
            "llama-3",
            "<s><|start_header_id|>user<|end_header_id|>\n\n{A}\n[Q]<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n[R]<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\n[S]<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "<s><|start_header_id|>system<|end_header_id|>\n\n[B]<|eot_id|><|start_header_id|>user",
        ),
        (
            "phi-3",
            "<s><|user|>\n{A}\n[Q]<|end|>\n<|assistant|>\n[R]<|end|>\n<|user|>\n[S]<|end|>\n<|assistant|>\n",
            "<s><|system|>\n[B]<|end|>\n<|user|>\n",
        ),
        (
            "obsidian",
            "<|im_start|>user\n{A}\n[Q]\n###\n<|im_start|>assistant\n[R]\n###\n"
            "<|im_start|>user\n[S]\n###\n<|im_start|>assistant\n",
            "<|im_start|>system\n[B]\n###\n<|im_start|>user\n",
        ),
    ],
)
def test_built_in_prompts_letter_by_letter(name, prompt, with_system):
    assert shown(BUILT_IN[name], TURNS) == prompt
    assert shown(BUILT_IN[name], [system("B"), *TURNS]).startswith(with_system)
    assert BUILT_IN[name].stop


# Guesses


@pytest.mark.parametrize(
    ("facts", "name", "why"),
    [
        (ModelFacts("model", "llama", special=LLAMA_3), "llama-3", "its vocabulary has <|start_header_id|>"),
        (ModelFacts("model", "llama", special=PHI_3), "phi-3", "its vocabulary has <|user|>"),
        (ModelFacts("model", "llama", special=CHATML), "chatml", "its vocabulary has <|im_start|>"),
        (ModelFacts("llava-llama-3-8b-v1_1", "llama"), "llama-3", "general.name is 'llava-llama-3-8b-v1_1'"),
        (ModelFacts("llama3-llava-next-8b", "llama"), "llama-3", "general.name"),
        (ModelFacts("Meta Llama 3.1 8B", "llama"), "llama-3", "general.name"),
        (ModelFacts("llava-phi-3-mini", "llama"), "phi-3", "general.name"),
        (ModelFacts("Phi3 mini 4k", "phi3"), "phi-3", "general.name"),
        (ModelFacts("", "phi3"), "phi-3", "general.architecture is 'phi3'"),
        (ModelFacts("", "stablelm"), "obsidian", "general.architecture is 'stablelm'"),
        (ModelFacts("Obsidian 3B", "stablelm", special=CHATML), "obsidian", "general.name is 'Obsidian 3B'"),
        (ModelFacts("LLaVA-v1.6-34b", "llama"), "chatml", "general.name"),
        (ModelFacts("Yi 34B chat", "llama"), "chatml", "general.name"),
        (ModelFacts("", "qwen2"), "chatml", "general.architecture"),
        (ModelFacts("llava-v1.6-mistral-7b", "llama"), "mistral", "general.name"),
        (ModelFacts("BakLLaVA-Mistral-7B", "llama"), "vicuna", "general.name"),
        (ModelFacts("Nous-Hermes-2-Mistral", "llama"), "chatml", "general.name"),
        (ModelFacts("vicuna-13b-v1.5", "llama"), "vicuna", "general.name"),
        (ModelFacts("llama-30b", "llama"), "vicuna", "nothing in it names another"),
        (ModelFacts("LLaMA v2", "llama"), "vicuna", "nothing in it names another"),
        (ModelFacts(), "vicuna", "nothing in it names another"),
        (ModelFacts("mistral", "llama", special=LLAMA_3), "llama-3", "its vocabulary"),
    ],
)
def test_a_model_without_a_template_gets_its_familys(facts, name, why):
    chosen = choose_template(None, None, facts)
    assert chosen == BUILT_IN[name]
    assert chosen.name == name
    assert chosen.why.startswith("the model file has no chat template, and " + why)


@pytest.mark.parametrize(
    "facts",
    [
        ModelFacts("LLaVA v1.6 34B", "llama"),
        ModelFacts("nous-hermes-2-yi-34b", "llama"),
        ModelFacts("", "llama", width=7168, special=CHATML),
    ],
)
def test_34b_gets_chatml_direct_and_not_its_files_own(facts):
    chosen = choose_template(None, USUAL_CHATML, facts)
    assert chosen == BUILT_IN["chatml"]
    assert "34B was trained with this one" in chosen.why
    assert shown(chosen, [user(image("A"), "Q")]) == (
        "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n{A}\n[Q]<|im_end|>"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("facts", "source"),
    [
        (ModelFacts("Hermes 7B", "llama", width=4096), USUAL_CHATML),
        (ModelFacts("LLaVA v1.6 34B", "llama"), "{{ messages[0].content }}"),
        (ModelFacts("model 134b", "llama"), USUAL_CHATML),
    ],
)
def test_other_files_keep_their_own(facts, source):
    chosen = choose_template(None, source, facts)
    assert (chosen.source, chosen.why) == (source, "")


def test_facts_of_metadata():
    metadata = {"general.name": "n", "general.architecture": "phi3", "phi3.embedding_length": "3072"}
    assert ModelFacts.of(metadata, ()) == ModelFacts("n", "phi3", 3072, ())
    assert ModelFacts.of({}, ()) == ModelFacts()


# What is said


@pytest.fixture
def named(tmp_path):
    """Makes the golden text model with another general.name, and a template if one is given."""

    def make(name, template=None):
        keys = {"general.name": (name, STRING)}
        if template is not None:
            keys["tokenizer.chat_template"] = (template, STRING)
        return rewrite(TEXT, tmp_path / "text.gguf", keys=keys)

    return make


@pytest.fixture
def heard():
    """What the package's logger says."""

    class Ears(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    lines, log, ears = [], logging.getLogger("hired_gguf"), Ears()
    log.addHandler(ears)
    yield lines
    log.removeHandler(ears)


def test_a_guess_is_told_once(named, heard):
    with llama_of((named("llava-llama-3-8b"), MMPROJ), budget=4) as llama:
        for _ in range(2):
            llama.create_chat_completion(TEXT_ONLY, max_tokens=1)
    (line,) = heard
    assert line.startswith("hired-gguf: chat template llama-3: the model file has no chat template, and ")
    assert "general.name is 'llava-llama-3-8b'" in line


@pytest.mark.parametrize("template", ["vicuna", None])
def test_what_is_named_or_the_files_own_is_not_told(named, heard, template):
    path = named("llava-llama-3-8b", "{{ messages[0].content }}A:")
    with llama_of((path, MMPROJ), budget=4, template=template) as llama:
        llama.create_chat_completion(TEXT_ONLY, max_tokens=1)
    assert heard == []
