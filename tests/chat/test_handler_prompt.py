"""Messages, images and templates as the handler takes them."""

from __future__ import annotations

import base64
import re

import llama_cpp
import numpy as np
import pytest
from bare_handler import QUESTION, TEXT_ONLY, greedy, llama_of, words
from gguf import GGUFValueType
from gguf_rewrite import rewrite
from golden_pair import answer_of, assistant, image, photo, system, user
from PIL import Image

from hired_gguf import HiREDChatHandler, ImageError, PromptError

STRING = GGUFValueType.STRING


# Images


def test_ways_to_give_an_image(llama, tmp_path):
    data = photo("rocket").read_bytes()
    picture = Image.open(photo("rocket")).convert("RGB")
    encoded = base64.b64encode(data).decode()
    sources = [
        str(photo("rocket")),
        photo("rocket"),
        photo("rocket").as_uri(),
        f"data:image/png;base64,{encoded}",
        data,
        picture,
        np.asarray(picture),
    ]
    right = words(llama, [user(image(sources[0]), "Q")])
    for source in sources:
        assert words(llama, [user({"type": "image", "image": source}, "Q")]) == right
        assert words(llama, [user({"type": "image_url", "image_url": {"url": source}}, "Q")]) == right
        assert words(llama, [user({"type": "image_url", "image_url": source}, "Q")]) == right


def test_images_make_the_difference(llama):
    answers = {words(llama, [user(image(photo(name)), "Q")]) for name in ("astronaut", "chelsea", "coffee")}
    assert len(answers | {words(llama, [user("Q")])}) == 4


def test_several_images_keep_their_order(llama, handler):
    forth = [user(image(photo()), image(photo("chelsea")), "Q")]
    back = [user(image(photo("chelsea")), image(photo()), "Q")]
    assert words(llama, forth) != words(llama, back)
    assert [s.tiling.image_size_hw for s in handler.last_run.selections] == [(120, 200), (256, 256)]
    assert handler.last_run.visual_tokens == 88 + 52


def test_images_in_several_turns(llama, handler):
    messages = [
        *QUESTION,
        assistant("A man."),
        user("And?", image(photo("rocket")), "this?"),
        assistant("No."),
    ]
    greedy(llama, [*messages, user("Why?")])
    assert handler.last_run.visual_tokens == 88 + 44


def test_the_same_image_twice_is_seen_twice(llama, handler):
    greedy(llama, [user(image(photo()), f"Is {photo()} the same as", image(photo()), "?")])
    assert handler.last_run.visual_tokens == 2 * 88


@pytest.mark.parametrize("nasty", ["<image>", "<__media__>", "</s>", "[INST]", "USER:"])
def test_markers_in_words_are_words(llama, handler, nasty):
    greedy(llama, [user(image(photo()), nasty)])
    assert handler.last_run.visual_tokens == 88
    greedy(llama, [system(nasty), user(nasty)])
    assert handler.last_run.visual_tokens == 0


def test_plain_content_equals_one_part(llama):
    assert words(llama, [{"role": "user", "content": "Why?"}]) == words(llama, [user("Why?")])


# Templates


def test_template_variables(tiny, tmp_path, handler):
    template = "{{ mood }}{% for m in messages %}{{ m.content }}{% endfor %}!"
    own = rewrite(tiny[0], tmp_path / "own.gguf", keys={"tokenizer.chat_template": (template, STRING)})
    with llama_of((own, tiny[1])) as llama:
        calm = llama.chat_handler(llama=llama, messages=TEXT_ONLY, max_tokens=1, mood="very calm")
        plain = llama.chat_handler(llama=llama, messages=TEXT_ONLY, max_tokens=1)
    assert calm["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]


def test_a_template_that_ends_with_the_image(tiny, tmp_path):
    keys = {"tokenizer.chat_template": ("{{ messages[0].content }}", STRING)}
    own = rewrite(tiny[0], tmp_path / "own.gguf", keys=keys)
    with llama_of((own, tiny[1])) as llama:
        with pytest.raises(PromptError, match="no text after the last image"):
            greedy(llama, [user("Q", image(photo()))])
        assert greedy(llama, QUESTION)["usage"]["completion_tokens"] == 10


def test_the_templates_stop_string(tiny):
    with llama_of(tiny, template="chatml") as llama:
        whole = words(llama, max_tokens=4)
        spelled = llama.tokenize(b"<|im_end|>", add_bos=False)[1:]
        steps = iter(spelled)

        def write(ids, scores):
            scores[next(steps)] = 1e6
            return scores

        completion = greedy(
            llama, max_tokens=len(spelled), logits_processor=llama_cpp.LogitsProcessorList([write])
        )
        assert whole != ""
        assert answer_of(completion) == ""
        assert completion["choices"][0]["finish_reason"] == "stop"


# Refusals


def test_unknown_template(tiny):
    with pytest.raises(PromptError, match="template is 'llama', which is no file; allowed: vicuna, "):
        HiREDChatHandler(tiny[1], template="llama")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "bot", "content": "Hi"}], "messages[0].role is 'bot'"),
        ([user({"type": "audio"})], "messages[0].content[0].type is 'audio'"),
        ([assistant([image(photo())])], "is an image in a assistant message"),
        ([], "messages is empty"),
    ],
)
def test_bad_messages(llama, messages, said):
    with pytest.raises(PromptError, match=re.escape(said)):
        llama.create_chat_completion(messages)


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "HTTPS://example.com/a.png"])
def test_http_is_off(llama, url):
    with pytest.raises(ImageError, match="http is off; pass allow_http=True"):
        greedy(llama, [user(image(url), "Q")])


def test_no_network_even_if_http_is_on(tiny, llama):
    handler = HiREDChatHandler(tiny[1], allow_http=True)
    with pytest.raises(ImageError, match="not a public address"):
        handler(llama=llama, messages=[user(image("http://127.0.0.1:9/a.png"), "Q")])
