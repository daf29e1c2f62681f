"""Conversations about pictures as token ids, exactly as the engine makes them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import llama_cpp
from gguf import GGUFWriter

from hired_gguf.files import replacing
from hired_gguf.prompt.messages import parse_messages, user_message
from hired_gguf.prompt.templates import ChatTemplate, render
from hired_gguf.prompt.tokens import PromptTokenizer
from hired_gguf.scenes import Question
from hired_gguf.synthetic.chat_templates import CHAT_TEMPLATES
from hired_gguf.synthetic.metadata import add_text

from . import question_vocabulary
from .sizes import shape

TEMPLATE = CHAT_TEMPLATES["vicuna"]


@dataclass(frozen=True)
class Turns:
    """What follows a picture: ids, and for each whether it is part of an answer (to be learnt)."""

    ids: list[int]
    learn: list[bool]


class Prompts:
    """Renders and tokenises with the package's own code and llama.cpp's tokenizer."""

    def __init__(self, folder: Path) -> None:
        path, tokens = folder / "vocabulary.gguf", question_vocabulary.build()
        with replacing(path) as partial:  # other processes may be reading the file
            writer = GGUFWriter(partial, "llama")
            add_text(writer, shape(len(tokens.tokens)).text, tokens, TEMPLATE)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
            writer.close()
        self.llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
        self.tokenizer = PromptTokenizer(self.llama)
        self.eos = self.llama.token_eos()
        self.conversation = cache(self._conversation)
        self.prefix = self._segments([("?", "")])[0]

    def turns(self, questions: list[Question]) -> Turns:
        """A conversation's ids from the picture's end on."""
        ids: list[int] = []
        learn: list[bool] = []
        for i, question in enumerate(questions):
            asked = self.conversation(question.text, i > 0)
            answer = self.answer(question.answer)
            ids += [*asked, *answer]
            learn += [False] * len(asked) + [True] * len(answer)
        return Turns(ids, learn)

    @cache  # noqa: B019 (one object, as long as the process)
    def answer(self, text: str) -> list[int]:
        """The answer and its end, in the template's own spacing."""
        whole, asked = self._segments([("?", text), ("?", "")])[1], self._segments([("?", "")])[1]
        end = whole.index(self.eos)
        return whole[len(asked) : end + 1]

    def _conversation(self, text: str, later: bool) -> list[int]:
        """From the picture, or from the end of the answer before, to where the answer begins."""
        if not later:
            return self._segments([(text, "")])[1]
        whole = self._segments([("?", "yes"), (text, "")])[1]
        return whole[whole.index(self.eos) + 1 :]

    def _segments(self, turns: list[tuple[str, str]]) -> list[list[int]]:
        messages = []
        for i, (question, answer) in enumerate(turns):
            messages.append(user_message(question, "picture" if i == 0 else None))
            if answer:
                messages.append({"role": "assistant", "content": answer})
        bos = self.tokenizer.text_of(self.llama.token_bos())
        pieces = render(
            ChatTemplate(TEMPLATE), parse_messages(messages), bos, self.tokenizer.text_of(self.eos)
        )
        return [segment for segment in self.tokenizer(pieces) if isinstance(segment, list)]


def choose(found: list[Question], rng: random.Random, count: int) -> list[Question]:
    """Some questions, reading ones first in line: they are what is hard."""
    weight = {"read": 3.0, "value": 3.0, "count": 1.0, "colour": 1.5, "yes-no": 0.7, "position": 2.0}
    return sorted(found, key=lambda q: rng.random() ** (1 / weight[q.kind]), reverse=True)[:count]
