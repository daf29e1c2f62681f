"""Whatever a context was used for before, every answer is that of a fresh one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import llama_cpp
import pytest
from bare_handler import OTHER, QUESTION, TEXT_ONLY, greedy, words
from golden_pair import answer_of, image, photo, user
from PIL import Image

from hired_gguf import ContextOverflowError, HiREDChatHandler, ImageError, PromptError, StreamError


def test_text_image_text(llama, fresh):
    right = fresh(TEXT_ONLY)
    assert words(llama, TEXT_ONLY) == right
    greedy(llama, QUESTION)
    assert words(llama, TEXT_ONLY) == right


def test_two_images_of_equal_size(llama, fresh, tmp_path):
    Image.open(photo()).transpose(Image.Transpose.ROTATE_180).save(tmp_path / "b.png")
    other = [user(image(tmp_path / "b.png"), "What is this?")]
    right = fresh(QUESTION), fresh(other)
    assert right[0] != right[1]
    for _ in range(2):
        assert (words(llama, QUESTION), words(llama, other)) == right


def test_image_positions_never_serve_as_text(llama, handler, new_llama):
    """The ids that stood for the image, sent as a plain prompt, are evaluated as what they are."""
    seen = []

    def spy(ids, scores):
        seen.append(list(ids))
        return scores

    greedy(llama, max_tokens=1, logits_processor=llama_cpp.LogitsProcessorList([spy]))
    prompt = [max(i, 0) for i in seen[0]]
    assert prompt.count(0) >= 88
    options = {"max_tokens": 10, "temperature": 0}
    right = new_llama().create_completion(prompt, **options)["choices"][0]["text"]

    greedy(llama)
    assert llama.create_completion(prompt, **options)["choices"][0]["text"] == right
    stream = greedy(llama, stream=True)
    next(stream)
    assert llama.create_completion(prompt, **options)["choices"][0]["text"] == right
    stream = greedy(llama, stream=True)
    assert llama.create_completion(prompt, **options)["choices"][0]["text"] == right
    del stream


def test_a_plain_completion_after_an_image(llama, new_llama):
    options = {"prompt": "What is this?", "max_tokens": 10, "temperature": 0}
    right = new_llama().create_completion(**options)["choices"][0]["text"]
    for _ in range(2):
        greedy(llama)
        assert llama.create_completion(**options)["choices"][0]["text"] == right


def test_two_handlers_share_a_llama(tiny, llama, handler, fresh):
    right = fresh(QUESTION), fresh(OTHER)
    other = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)
    for _ in range(2):
        assert answer_of(other(llama=llama, messages=OTHER, max_tokens=10, temperature=0)) == right[1]
        assert words(llama) == right[0]
    stream = other(llama=llama, messages=OTHER, max_tokens=10, temperature=0, stream=True)
    next(stream)
    assert words(llama) == right[0]
    with pytest.raises(StreamError):
        list(stream)
    other.close()


def test_one_handler_serves_two_llamas(llama, new_llama, fresh):
    right = fresh(QUESTION), fresh(OTHER)
    second = new_llama()
    streams = greedy(llama, stream=True), greedy(second, OTHER, stream=True)
    texts = ["", ""]
    for pair in zip(*streams, strict=False):
        for i, chunk in enumerate(pair):
            texts[i] += chunk["choices"][0]["delta"].get("content") or ""
    assert tuple(texts) == right


def test_errors_leave_a_usable_context(llama, fresh):
    right = fresh(QUESTION)
    for messages, error in (
        ([user(image("missing.png"), "Q")], ImageError),
        ([user(image(photo()), "Q" * 3000)], ContextOverflowError),
        ([], PromptError),
    ):
        with pytest.raises(error):
            greedy(llama, messages)
        assert words(llama) == right


def test_an_error_in_the_callers_progress(tiny, llama, fresh):
    right = fresh(QUESTION)

    def stop(stage, done, total):
        if (stage, done > 0) == ("prefill", True):
            raise RuntimeError("enough")

    handler = HiREDChatHandler(tiny[1], on_progress=stop, n_threads=1)
    with pytest.raises(RuntimeError, match=r"^enough$"):
        handler(llama=llama, messages=QUESTION)
    memory = llama_cpp.llama_get_memory(llama._ctx.ctx)
    assert llama_cpp.llama_memory_seq_pos_max(memory, 0) == llama.n_tokens - 1
    assert words(llama) == right
    handler.close()


def test_threads_take_turns(llama, fresh):
    questions = (QUESTION, OTHER, TEXT_ONLY, [user(image(photo("rocket")), "And?")])
    right = [fresh(messages) for messages in questions]

    def work(i):
        answers = []
        for _ in range(5):
            try:
                answers.append(words(llama, questions[i], stream=False))
            except StreamError:
                answers.append("cut off")
        return answers

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[answer] * 5 for answer in right]
