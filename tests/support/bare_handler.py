"""Questions to a `HiREDChatHandler` through llama-cpp-python, and its greedy answers."""

from __future__ import annotations

from contextlib import contextmanager

from golden_pair import answer_of, image, photo, user

from hired_gguf import HiREDChatHandler
from models import load_llama

QUESTION = [user(image(photo()), "What is this?")]
OTHER = [user(image(photo("chelsea")), "What is this?")]
TEXT_ONLY = [user("What is a picture?")]


@contextmanager
def llama_of(pair, *, budget=1.0, template=None, **options):
    """A context of its own with a handler of its own, both closed in the end."""
    handler = HiREDChatHandler(pair[1], budget=budget, template=template, n_threads=1)
    llama = load_llama(pair[0], chat_handler=handler, **options)
    try:
        yield llama
    finally:
        llama.close()
        handler.close()


def greedy(llama, messages=QUESTION, max_tokens=10, **options):
    """A completion."""
    return llama.create_chat_completion(messages, max_tokens=max_tokens, temperature=0, **options)


def words(llama, messages=QUESTION, **options):
    """Its text."""
    return answer_of(greedy(llama, messages, **options))


ANIMAL = {
    "type": "object",
    "properties": {"animal": {"enum": ["cat", "dog"]}, "seen": {"type": "boolean"}},
    "required": ["animal", "seen"],
}
TOOL = {"type": "function", "function": {"name": "name_animal", "parameters": ANIMAL}}
