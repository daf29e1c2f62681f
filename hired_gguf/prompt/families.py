"""Which chat template a language model was trained with, guessed from what its file says about itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ..errors import shown
from .built_in import BUILT_IN, ChatTemplate

YI_34B_WIDTH = 7168  # no other language model of a LLaVA has it


@dataclass(frozen=True)
class ModelFacts:
    """What a language model's file says: ``special`` are the texts of its special tokens, ``width`` or 0."""

    name: str = ""
    architecture: str = ""
    width: int = 0
    special: Collection[str] = ()

    @classmethod
    def of(cls, metadata: Mapping[str, object], special: Collection[str]) -> ModelFacts:
        """From a GGUF file's metadata, as llama.cpp or `read_gguf` gives it."""
        architecture = str(metadata.get("general.architecture", ""))
        width = str(metadata.get(f"{architecture}.embedding_length", ""))
        name = str(metadata.get("general.name", ""))
        return cls(name, architecture, int(width) if width.isdecimal() else 0, special)


# The first that fits decides. Tokens come first: a name is copied from file to file, a vocabulary is not.
TOKENS = {
    "llama-3": ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "phi-3": ("<|user|>", "<|assistant|>", "<|end|>"),
    "chatml": ("<|im_start|>", "<|im_end|>"),
}
WORDS = {
    "obsidian": r"obsidian",
    "llama-3": r"llama[ _.-]?v?3(?!\d)",
    "phi-3": r"phi[ _.-]?3(?!\d)",
    "chatml": r"\byi\b|(?<!\d)34b|hermes|chatml|qwen",
    "vicuna": r"vicuna|bakllava",
    "mistral": r"mistral",
}
ARCHITECTURES = {"phi3": "phi-3", "stablelm": "obsidian", "qwen2": "chatml"}


def guess_template(facts: ModelFacts) -> ChatTemplate:
    """The built-in template for a model whose file carries none, and why; Vicuna v1 if nothing tells."""
    name, why = _family(facts)
    return replace(BUILT_IN[name], why=f"the model file has no chat template, and {why}")


def trained_otherwise(facts: ModelFacts, source: str) -> ChatTemplate | None:
    """The template to take instead of the file's own, if its model is known to be trained with another.

    LLaVA-1.6-34B carries the ChatML of its language model, with newlines between the turns and no system
    message; LLaVA's own, chatml_direct, has none of the first and has the second.
    """
    size = re.search(r"(?<!\d)34b", facts.name, re.IGNORECASE)
    is_34b = size is not None or (facts.architecture == "llama" and facts.width == YI_34B_WIDTH)
    if not is_34b or "<|im_start|>" not in source:
        return None
    sign = f"general.name is {shown(facts.name)}" if size else f"its width is {facts.width}"
    why = f"LLaVA-1.6-34B was trained with this one and not with that of its file: {sign}"
    return replace(BUILT_IN["chatml"], why=why)


def _family(facts: ModelFacts) -> tuple[str, str]:
    if re.search(WORDS["obsidian"], facts.name, re.IGNORECASE):  # its vocabulary may have ChatML's tokens
        return "obsidian", f"general.name is {shown(facts.name)}"
    for name, texts in TOKENS.items():
        if all(text in facts.special for text in texts):
            return name, f"its vocabulary has {' and '.join(texts)}"
    for name, pattern in WORDS.items():
        if re.search(pattern, facts.name, re.IGNORECASE):
            return name, f"general.name is {shown(facts.name)}"
    if facts.architecture in ARCHITECTURES:
        return ARCHITECTURES[facts.architecture], f"general.architecture is {shown(facts.architecture)}"
    return "vicuna", f"nothing in it names another (general.name is {shown(facts.name)})"
