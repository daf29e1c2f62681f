"""A selection that goes by the question gets its words as rows of the model's own table."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import COFFEE

from hired_gguf import ModelFormatError, TokenBudget
from hired_gguf.chat import question
from hired_gguf.chat.question import question_about, question_rows
from hired_gguf.prompt.messages import ImagePart, parse_messages, user_message
from hired_gguf.prompt.tokens import PromptTokenizer
from hired_gguf.vision.encoding import EncodedImage

MMTOK = TokenBudget(0.2, selection="mmtok")


def images_of(turns):
    return [part for turn in turns for part in turn.parts if isinstance(part, ImagePart)]


def test_a_picture_is_asked_about_in_its_own_message():
    turns = parse_messages(
        [
            {"role": "system", "content": "Be brief."},
            user_message("What is this?", b"one"),
            {"role": "assistant", "content": "A cup."},
            user_message("And that?", [b"two", b"three"]),
        ]
    )
    assert [question_about(turns, image) for image in images_of(turns)] == ["What is this?"] + [
        "And that?"
    ] * 2


def test_a_picture_without_words_is_asked_about_in_the_last_message():
    turns = parse_messages([{"role": "user", "images": [b"x"]}, {"role": "user", "content": "What is it?"}])
    assert question_about(turns, images_of(turns)[0]) == "What is it?"
    (alone,) = parse_messages([{"role": "user", "images": [b"x"]}])
    assert question_about([alone], alone.parts[0]) == ""


def test_words_are_the_rows_that_llama_cpp_embeds(llm):
    turns = parse_messages([user_message("What is it?", b"x")])
    rows = question_rows(PromptTokenizer(llm.llama), turns, images_of(turns)[0])
    ids = llm.llama.tokenize(b"What is it?", add_bos=False)
    assert rows.shape == (len(ids), llm.llama.n_embd())
    assert rows.dtype == np.float32
    same = question_rows(PromptTokenizer(llm.llama), turns, images_of(turns)[0])
    np.testing.assert_array_equal(rows, same)


def test_a_model_without_a_table_is_named(llm, monkeypatch):
    monkeypatch.setattr(question, "token_table", lambda llama: None)
    monkeypatch.setattr(question, "read_token_table", lambda path: None)
    turns = parse_messages([user_message("What?", b"x")])
    with pytest.raises(ModelFormatError, match=r"has no tensor token_embd\.weight, by which a question"):
        question_rows(PromptTokenizer(llm.llama), turns, images_of(turns)[0])


def test_the_question_reaches_the_selection_and_only_one_that_needs_it(llm):
    seen = []

    def look(image, config):
        seen.append(image.question)
        return EncodedImage.select_with(image, config)

    for budget in (MMTOK, TokenBudget(0.2)):
        llm.ask(COFFEE, "What is it?", max_tokens=1, budget=budget, selector=look)
    assert seen[0].shape[1] == llm.llama.n_embd()
    assert seen[1] is None


def test_another_question_may_keep_other_tokens(llm):
    kept = [
        llm.ask(COFFEE, text, max_tokens=1, budget=MMTOK).selections[0].digest
        for text in ("What is it?", "Red blue green", "What is it?")
    ]
    assert kept[0] == kept[2]
    assert kept[0] != kept[1]


def test_a_later_question_leaves_the_picture_as_it_is(llm):
    chat = llm.chat(max_tokens=1, budget=MMTOK)
    first = chat.send("What is it?", COFFEE)
    second = chat.send("Red blue green")
    assert first.selections[0].digest == second.selections[0].digest
    assert second.run.reused_tokens >= first.selections[0].visual_tokens


def test_merged_rows_are_told_from_others(llm):
    """The context may hold the same tokens with other rows in them."""
    merged = TokenBudget(0.2, selection="visionzip")

    def unmerged(image, config):
        chosen = image.select_with(config)
        return chosen.with_mask(chosen.mask)

    one, again, other = (
        llm.ask(COFFEE, "What is it?", max_tokens=1, budget=merged, selector=chooser)
        for chooser in (EncodedImage.select_with, EncodedImage.select_with, unmerged)
    )
    np.testing.assert_array_equal(one.selections[0].packing, other.selections[0].packing)
    assert one.selections[0].digest == again.selections[0].digest != other.selections[0].digest
    assert other.run.reused_tokens <= again.run.reused_tokens - one.selections[0].visual_tokens
