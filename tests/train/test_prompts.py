"""Questions and answers as token ids: a token a word, a token a character."""

from __future__ import annotations

import random

import pytest
from golden_pair import assistant
from train import sequence
from train.sizes import TILE
from training import EOS, SEED, picture, pieces, with_torch

from hired_gguf import LlavaNext
from hired_gguf.prompt.messages import user_message
from hired_gguf.scenes import Question, make_scene
from hired_gguf.scenes.questions import questions
from hired_gguf.scenes.texts import field_text, plate_text
from hired_gguf.scenes.words import CHARACTERS, COLOURS, DIGITS, FIELDS, NAMES
from hired_gguf.scenes.words import WORDS as TEXTS
from hired_gguf.synthetic.vocabulary import FIRST_PIECE, MARK

# Words


def texts():
    """Everything that a plate or a slip can say, and a few hundred of what is drawn by chance."""
    rng = random.Random(SEED)
    drawn = [plate_text(rng)[1] for _ in range(300)]
    drawn += [field_text(rng, field)[1] for field in FIELDS for _ in range(40)]
    return sorted({*TEXTS, *NAMES, *drawn})


def begun(character):
    """The pieces of an answer's first character."""
    return [MARK, character] if character in DIGITS else [MARK + character]


@pytest.mark.slow
def test_answers_are_read_out_character_by_character(prompts):
    for text in texts():
        ids = prompts.answer(text)
        assert pieces(prompts, ids) == [*begun(text[0]), *text[1:], EOS]
        assert min(ids[:-1]) >= FIRST_PIECE


@pytest.mark.slow
def test_any_two_characters_of_an_answer_are_two_tokens(prompts):
    """So that nothing that nobody thought of merges; `US` and `AS` begin words of the template."""
    merged = []
    for first in CHARACTERS.replace(".", ""):
        for second in CHARACTERS:
            found = pieces(prompts, prompts.answer(first + second))
            if found != [*begun(first), second, EOS]:
                merged.append(first + second)
    assert merged == ["AS", "US"]
    assert not [text for text in texts() if text.startswith(("AS", "US", "."))]


@pytest.mark.parametrize("word", ["yes", "no", "left", "right", "above", "below", *COLOURS])
def test_answers_that_are_words_are_one_token(prompts, word):
    assert pieces(prompts, prompts.answer(word)) == [MARK + word, EOS]


def test_questions_are_a_token_a_word(prompts):
    asked = {q.text for i in range(40) for q in questions(picture(i % 4).scene, random.Random(i))}
    assert len(asked) > 60
    for text in asked:
        words = text[:-1].split()
        if "says" in words:  # a text follows, by characters
            words = words[: words.index("says") + 1]
        later = pieces(prompts, prompts.conversation(text, True))
        assert later[: 2 + len(words)] == [MARK + "USER", ":", *(MARK + word for word in words)]
        assert later[-3:] == [text[-1], MARK + "ASSISTANT", ":"]
        first = pieces(prompts, prompts.conversation(text, False))
        assert first == [MARK, "<0x0A>", words[0], *later[3:]]


def test_turns_learn_answers_only(prompts):
    asked = [Question("count", "How many stars are there?", "3"), Question("read", "Read it.", "EXIT")]
    turns = prompts.turns(asked)
    learnt = [token for token, learn in zip(turns.ids, turns.learn, strict=True) if learn]
    assert pieces(prompts, learnt) == [MARK, "3", EOS, MARK + "E", *"XIT", EOS]
    text = prompts.llama.detokenize(turns.ids).decode()
    assert text == " \nHow many stars are there? ASSISTANT: 3 USER: Read it. ASSISTANT: EXIT"


# PyTorch


@with_torch
def test_the_engine_asks_in_the_same_words(modules, prompts):
    asked = [Question("count", "How many stars are there?", "3"), Question("read", "Read it.", "EXIT")]
    turns, rows = prompts.turns(asked), len(sequence.packing(picture(1)))
    image = make_scene("train", SEED, 1, tile=TILE).image
    messages = [user_message(asked[0].text, image), assistant("3"), user_message(asked[1].text)]
    with LlavaNext(modules.text, modules.mmproj, n_threads=1) as llm:
        answer = llm.answer(messages, budget=1.0, max_tokens=1)
        ids = llm.llama.input_ids[: answer.prompt_tokens].tolist()
    start = len(prompts.prefix)
    assert ids[:start] == prompts.prefix
    assert ids[start + rows :] == turns.ids[: -len(prompts.answer("EXIT"))]
