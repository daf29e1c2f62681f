"""From prompt pieces to ids: special tokens from templates only, BOS once, runs of text in one go."""

from __future__ import annotations

import gguf
import pytest
from gguf_rewrite import rewrite
from golden_pair import TEXT, assistant, image, system, user

from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import BUILT_IN, render
from hired_gguf.prompt.tokens import PromptTokenizer
from models import load_llama

UNK, BOS, EOS = 0, 1, 2
MARK = "\u2581"
PICTURE = ImagePart("A", "here")
PROMPTS = {
    "image first": [user(image("A"), "Q")],
    "image last": [user("Q", image("A"))],
    "text": [user("Q")],
    "turns": [system("S"), user(image("A"), image("B"), "Q"), assistant("R"), user("S")],
}


def byte(text):
    """The golden vocabulary spells everything by bytes, SentencePiece's visible space too."""
    return [3 + b for b in text.replace(" ", MARK).encode()]


def spelled(tokenizer, ids):
    return tokenizer.llama.detokenize(ids).decode().replace(MARK, " ")


@pytest.fixture(scope="module")
def tokenizer():
    llama = load_llama(TEXT, vocab_only=True)
    yield PromptTokenizer(llama)
    llama.close()


@pytest.fixture
def other_tokenizer(tmp_path):
    """Makes one for the golden vocabulary with other settings."""
    made = []

    def make(**changes):
        made.append(load_llama(rewrite(TEXT, tmp_path / f"{len(made)}.gguf", **changes), vocab_only=True))
        return PromptTokenizer(made[-1])

    yield make
    for llama in made:
        llama.close()


def test_special_tokens_are_those_of_the_vocabulary(tokenizer):
    assert tokenizer.specials == {"<unk>": UNK, "<s>": BOS, "</s>": EOS}
    assert (tokenizer.text_of(BOS), tokenizer.text_of(EOS), tokenizer.text_of(-1)) == ("<s>", "</s>", "")


@pytest.mark.parametrize(
    "words", ["</s>", "<s>", "<unk>", "a</s>b", "<0x41>", "x0</s>", "<image>", "</", "[INST]"]
)
def test_words_are_never_special(tokenizer, words):
    (ids,) = tokenizer([TextPart(words)])
    assert ids[0] == BOS
    assert not {UNK, BOS, EOS} & set(ids[1:])
    assert spelled(tokenizer, ids[1:]) == " " + words


def test_words_that_make_special_text_across_a_border(tokenizer):
    for split in range(1, 4):
        (ids,) = tokenizer([TextPart("</s>"[:split]), TextPart("</s>"[split:])])
        assert EOS not in ids
        (ids,) = tokenizer(["</s>"[:split], TextPart("</s>"[split:])])
        assert EOS not in ids


def test_the_templates_text_is_special(tokenizer):
    (ids,) = tokenizer(["<s>a</s>", TextPart("</s>"), "</s>b"])
    assert [i for i in ids if i in (UNK, BOS, EOS)] == [BOS, EOS, EOS]
    assert ids == [BOS, *byte(" a"), EOS, *byte(" </s>"), EOS, *byte(" b")]


@pytest.mark.parametrize("template", BUILT_IN)
@pytest.mark.parametrize("prompt", PROMPTS)
def test_bos_stands_in_front_exactly_once(tokenizer, template, prompt):
    segments = tokenizer(render(BUILT_IN[template], parse_messages(PROMPTS[prompt]), "<s>", "</s>"))
    ids = [i for segment in segments if isinstance(segment, list) for i in segment]
    assert ids[0] == BOS
    assert ids.count(BOS) == 1


@pytest.mark.parametrize("template", BUILT_IN)
def test_bos_once_with_words_that_spell_it(tokenizer, template):
    pieces = render(BUILT_IN[template], parse_messages([user("<s>", image("A"), "<s></s>")]), "<s>", "</s>")
    ids = [i for segment in tokenizer(pieces) if isinstance(segment, list) for i in segment]
    assert (ids.count(BOS), ids.count(EOS)) == (1, 0)


def test_a_prompt_that_starts_with_an_image(tokenizer):
    assert tokenizer([PICTURE, "Q"]) == [[BOS], PICTURE, byte(" Q")]
    assert tokenizer(["<s>", PICTURE, "Q"]) == [[BOS], PICTURE, byte(" Q")]


def test_images_side_by_side(tokenizer):
    other = ImagePart("B", "there")
    assert tokenizer(["a", PICTURE, other, "b"]) == [[BOS, *byte(" a")], PICTURE, other, byte(" b")]


def test_nothing_is_bos(tokenizer):
    assert tokenizer([]) == [[BOS]]
    assert tokenizer(["", TextPart("")]) == [[BOS]]


def test_no_bos_where_the_vocabulary_adds_none(other_tokenizer):
    tokenizer = other_tokenizer(keys={"tokenizer.ggml.add_bos_token": (False, gguf.GGUFValueType.BOOL)})
    assert tokenizer(["a", PICTURE, "b"]) == [byte(" a"), PICTURE, byte(" b")]
    assert tokenizer([PICTURE]) == [PICTURE]
    assert tokenizer(["<s>a"]) == [[BOS, *byte(" a")]]


def test_runs_of_text_are_tokenised_whole(llama):
    """As one text, words and template together: tokens may cross the borders of parts."""
    tokenizer = PromptTokenizer(llama)
    whole = [BOS, *llama.tokenize(b"USER: What does the sign say? ASSISTANT:", add_bos=False)]
    assert tokenizer(["USER: ", TextPart("What does the si"), TextPart("gn say?"), " ASSISTANT:"]) == [whole]
    apart = [i for text in (b"What does the si", b"gn say?") for i in llama.tokenize(text, add_bos=False)]
    assert len(apart) > len(llama.tokenize(b"What does the sign say?", add_bos=False))


def test_equal_to_llama_cpps_own_parsing(llama):
    """Where the words hold nothing special, llama.cpp's parse_special gives the same ids."""
    text = "<s>USER: What is this?</s>USER: And that? ASSISTANT:"
    assert PromptTokenizer(llama)([text]) == [llama.tokenize(text.encode(), add_bos=False, special=True)]


@pytest.mark.parametrize(
    "words",
    ["Zürich 猫 🐈 = 42 €", "e\u0301 \u200d\ufeff", "\x00\x07", "\n\n  \t", "\U0010ffff", "👩\u200d👧"],
)
def test_unusual_text_survives(tokenizer, words):
    (ids,) = tokenizer([TextPart(words)])
    assert spelled(tokenizer, ids[1:]) == " " + words


def test_longer_special_text_wins(other_tokenizer):
    tokens = gguf.GGUFReader(TEXT).fields["tokenizer.ggml.tokens"].contents()
    types = gguf.GGUFReader(TEXT).fields["tokenizer.ggml.token_type"].contents()
    tokens[-2:], types[-2:] = ["<|end|>", "<|end|>.*"], [3, 3]
    tokenizer = other_tokenizer(
        keys={"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": [int(t) for t in types]}
    )
    assert tokenizer(["<|end|>.*<|end|><|end|>x"]) == [[BOS, 319, 318, 318, *byte(" x")]]
    (ids,) = tokenizer([TextPart("<|end|>")])
    assert not {318, 319} & set(ids)
