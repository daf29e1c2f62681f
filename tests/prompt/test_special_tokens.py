"""Special tokens and the blanks beside them, as llama.cpp itself tokenises a prompt (parse_special)."""

from __future__ import annotations

import gguf
import pytest
from gguf_rewrite import rewrite
from golden_pair import TEXT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages
from hired_gguf.prompt.templates import BUILT_IN, render
from hired_gguf.prompt.tokens import PromptTokenizer
from models import load_llama

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

CONTROL, USER_DEFINED, STRING = 3, 4, gguf.GGUFValueType.STRING
NEW = ["<|endoftext|>", "<|user|>", "<|end|>", "<|assistant|>", "<mask>", "<|end|>.*", "<|e", "[ X]", "end|>"]
TOOL = "<|tool|>"
BOS = 1
PICTURE = ImagePart("A", "here")


def vocabulary_of(path, name, pre="default"):
    """The golden vocabulary with other special tokens. llama.cpp tells from the name what they strip."""
    fields = gguf.GGUFReader(TEXT).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = [int(kind) for kind in fields["tokenizer.ggml.token_type"].contents()]
    tokens[-len(NEW) :], types[-len(NEW) :] = NEW, [CONTROL] * len(NEW)
    tokens[-len(NEW) - 1], types[-len(NEW) - 1] = TOOL, USER_DEFINED
    keys = {
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.pre": (pre, STRING),
        "general.name": (name, STRING),
    }
    return load_llama(rewrite(TEXT, path, keys=keys), vocab_only=True)


VOCABULARIES = {
    "plain": ("a model", "default"),
    "rstrip": ("Phi-3-mini", "default"),
    "lstrip": ("a model", "jina-v2-de"),
}


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies")
    made = {kind: vocabulary_of(folder / f"{kind}.gguf", *of) for kind, of in VOCABULARIES.items()}
    yield {kind: PromptTokenizer(llama) for kind, llama in made.items()}
    for llama in made.values():
        llama.close()


def ours(tokenizer, *pieces):
    segments = tokenizer(pieces)
    assert segments[0][0] == BOS
    return [segments[0][1:], *segments[1:]]


TEXTS = st.lists(
    st.sampled_from([*NEW, TOOL, "</s>", "<unk>", " ", "\n", "\t\n ", "a", "Hi there", "\u00a0", "<|", "X]"]),
    max_size=14,
).map("".join)


@pytest.mark.parametrize("kind", VOCABULARIES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_a_template_is_tokenised_as_llama_cpp_does(tokenizers, kind, text):
    tokenizer = tokenizers[kind]
    theirs = tokenizer.llama.tokenize(text.encode(), add_bos=False, special=True)
    assert [i for part in ours(tokenizer, text) for i in part] == theirs


@pytest.mark.parametrize("kind", VOCABULARIES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.sampled_from(["Q", " Q", "\n\nQ ", "  ", "", "a\tb", "\n"]), before=TEXTS, after=TEXTS)
def test_words_beside_special_tokens_are_stripped_as_text_of_the_template(
    tokenizers, kind, words, before, after
):
    """Words that spell nothing special: the prompt is one text to llama.cpp."""
    tokenizer = tokenizers[kind]
    before, after = before + "<|user|>", "<mask>" + after
    theirs = tokenizer.llama.tokenize((before + words + after).encode(), add_bos=False, special=True)
    assert [i for part in ours(tokenizer, before, TextPart(words), after) for i in part] == theirs


def test_phi_3_strips_behind_its_tokens(tokenizers):
    tokenizer = tokenizers["rstrip"]
    user, end, assistant = (tokenizer.specials[text] for text in ("<|user|>", "<|end|>", "<|assistant|>"))
    asked = parse_messages([{"role": "user", "content": " Hi"}])
    (ids,) = ours(tokenizer, *render(BUILT_IN["phi-3"], asked, "<s>", "</s>"))
    hi = tokenizer.llama.tokenize(b"Hi", add_bos=False, special=False)
    assert ids == [user, *hi, end, assistant]
    (ids,) = ours(tokenizers["plain"], *render(BUILT_IN["phi-3"], asked, "<s>", "</s>"))
    assert len(ids) > len([user, *hi, end, assistant])


def test_blanks_are_stripped_up_to_a_picture(tokenizers):
    tokenizer = tokenizers["rstrip"]
    user = tokenizer.specials["<|user|>"]
    before, picture, after = ours(tokenizer, "<|user|>\n", TextPart(" "), PICTURE, TextPart(" Q"))
    assert (before, picture) == ([user], PICTURE)
    assert after == tokenizer.llama.tokenize(b" Q", add_bos=False, special=False)


def test_words_stay_words_beside_what_strips(tokenizers):
    tokenizer = tokenizers["rstrip"]
    (ids,) = ours(tokenizer, TextPart("<|end|>  x"))
    assert tokenizer.specials["<|end|>"] not in ids
    assert ids == tokenizer.llama.tokenize(b"<|end|>  x", add_bos=False, special=False)
