"""What ``hired-gguf inspect`` says of a language model: its facts, which chat template it gets, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..console.terminal import printable
from ..model_files.pair import read_text_model
from ..native.handled_llama import load_llama
from ..native.vocabulary import special_tokens
from ..prompt.families import ModelFacts
from ..prompt.templates import choose_template

OWN = "the file's own, tokenizer.chat_template"


def text_facts(path: Path) -> dict[str, Any]:
    """The facts for machines. Loads the vocabulary and no weights.

    Raises ModelFormatError, ModelMismatchError, NativeError, PromptError.
    """
    info = read_text_model(path)
    llama = load_llama(str(path), vocab_only=True, verbose=False)
    try:
        special = [token.text for token in special_tokens(llama)]
        facts = ModelFacts.of(llama.metadata, special)
        template = choose_template(None, llama.metadata.get("tokenizer.chat_template"), facts)
    finally:
        llama.close()
    return {
        "path": str(info.path),
        "name": info.name,
        "architecture": info.architecture,
        "width": info.width,
        "context_length": info.context_length,
        "weight_type": info.file_type,
        "special_tokens": len(special),
        "chat_template": template.name if template.why else OWN,
        "chat_template_why": template.why or "the file carries it",
    }


def describe_text(facts: dict[str, Any]) -> list[str]:
    """The facts for people."""
    rows = {
        "name": facts["name"] or "(none)",
        "architecture": facts["architecture"],
        "width": str(facts["width"]),
        "context": f"{facts['context_length']} tokens as trained",
        "weights": facts["weight_type"],
        "template": f"{facts['chat_template']}: {facts['chat_template_why']}",
    }
    return [printable(facts["path"]), *(f"  {name:<12} {printable(text)}" for name, text in rows.items())]
