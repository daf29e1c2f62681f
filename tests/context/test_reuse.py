"""What a context holds is evaluated once, and every answer is that of a fresh context all the same."""

from __future__ import annotations

import numpy as np
from contexts import AGAIN, OTHER, SEEN, WORDS, ask, assert_close, image_of, shown
from golden_pair import assistant, image, photo, system, user
from PIL import Image

from hired_gguf import HiREDChatHandler, LlavaNext
from models import CONTEXT, load_llama


def test_the_second_question_costs_its_own_text(used, right, counted):
    wanted = right(SEEN), right(AGAIN)
    counted.clear()
    first = ask(used, SEEN)
    prompt_tokens = used.chat_handler.last_run.prompt_tokens
    assert counted[:2] == [("encode",), ("rows", prompt_tokens)]  # all at once
    assert set(counted[2:]) <= {("text", 0), ("text", 1)}  # the answer's
    answered = used.n_tokens
    counted.clear()
    second = ask(used, AGAIN)
    run = used.chat_handler.last_run
    assert (first[0], second[0]) == (wanted[0][0], wanted[1][0])
    assert_close(second[1], wanted[1][1])
    assert {name for name, *_ in counted} == {"text"}
    assert counted[0] == ("text", run.prompt_tokens - run.reused_tokens)
    assert counted[0][1] < 15
    assert image_of(used).end < run.reused_tokens < answered
    assert (run.encoded_images, run.reused_encodings) == (0, 1)
    assert run.visual_tokens == 88
    assert run.timings.prefill_visual_s == 0


def test_two_images_of_equal_size(used, check, tmp_path):
    Image.open(photo()).transpose(Image.Transpose.ROTATE_180).save(tmp_path / "b.png")
    turned = [user(image(tmp_path / "b.png"), "What is this?")]
    assert check(SEEN).encoded_images == 1
    for messages in (turned, SEEN, turned):
        assert check(messages).reused_tokens == image_of(used).start
    assert check(turned).reused_tokens > image_of(used).end


def test_text_between_two_images(used, check):
    for messages in (WORDS, SEEN, WORDS, AGAIN, WORDS, OTHER, SEEN):
        run = check(messages)
    assert run.reused_encodings == 1
    assert run.reused_tokens == image_of(used).start


def test_another_budget_encodes_nothing(used, check, counted):
    check(SEEN)
    counted.clear()
    for budget, rows in ((8, 8), (0.5, 40), (1.0, 88), (8, 8)):
        counted.clear()
        ask(used, SEEN, budget=budget)
        assert ("encode",) not in counted
        run = used.chat_handler.last_run
        assert ("rows", run.prompt_tokens - run.reused_tokens) in counted
        assert run.visual_tokens == rows
        run = check(SEEN, budget=budget)
        assert run.reused_tokens == run.prompt_tokens - 1


def test_as_many_other_tokens_are_another_image(used, check):
    for options in ({"alpha": 1.0}, {"alpha": 0.0}, {"allocation": "uniform"}, {"alpha": 1.0}):
        run = check(SEEN, budget=20, **options)
        assert run.visual_tokens == 20
        assert run.reused_tokens <= image_of(used).start


def test_knobs_that_change_nothing_reuse_the_image(check):
    check(SEEN, budget=1.0, alpha=0.5)
    run = check(SEEN, budget=80, alpha=0.25)  # everything stays, one way or the other
    assert run.reused_tokens == run.prompt_tokens - 1


def test_histories(used, check):
    talk = [*SEEN, assistant("A man."), user("Why?"), assistant("He is there."), user("And?")]
    for length in (1, 3, 5, 3, 1, 5):
        run = check(talk[:length])
    assert run.reused_tokens > image_of(used).end
    check([system("Be brief."), *talk[:3]])
    check(talk)


def test_a_conversation_evaluates_each_turn_once(tiny, counted):
    with LlavaNext(*tiny, budget=0.25, n_ctx=CONTEXT, n_threads=1) as llm:
        chat = llm.chat(max_tokens=6)
        chat.send("What is this?", photo())
        for question in ("Why?", "And what else?"):
            counted.clear()
            answer = chat.send(question)
            assert {name for name, *_ in counted} == {"text"}
            assert (answer.encoded_images, answer.reused_encodings) == (0, 1)
            assert answer.reused_tokens > answer.visual_tokens
            assert counted[0] == ("text", answer.prompt_tokens - answer.reused_tokens)


def test_several_images_of_which_the_first_is_shared(used, check):
    both = [user(image(photo()), image(photo("rocket")), "Compare.")]
    swapped = [user(image(photo("rocket")), image(photo()), "Compare.")]
    twice = [user(image(photo()), image(photo()), "Compare.")]
    check(SEEN)
    run = check(both)
    assert run.reused_tokens == image_of(used, 1).start > image_of(used).end
    assert (run.encoded_images, run.reused_encodings) == (1, 1)
    assert check(swapped).reused_tokens == image_of(used).start
    check(both)
    assert check(twice).reused_tokens == image_of(used, 1).start
    run = check(twice)
    assert run.reused_tokens == run.prompt_tokens - 1


def test_the_same_pixels_in_another_size(used, check):
    pixels = np.random.default_rng(1).integers(0, 256, 30 * 100 * 3, np.uint8)
    tall, wide = ([user(shown(pixels.reshape(*hw, 3)), "Q")] for hw in ((100, 30), (30, 100)))
    for messages in (tall, wide, tall):
        check(messages)
    assert used.chat_handler._cache.misses == 2


def test_verbose_contexts_count_from_zero_each_time(tiny, right, capfd):
    """llama-cpp-python then resets the count of evaluated tokens at each completion."""
    wanted = right(SEEN)[0], right(AGAIN)[0]
    handler = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)
    llama = load_llama(tiny[0], chat_handler=handler, verbose=True)
    assert ask(llama, SEEN)[0] == wanted[0]
    assert ask(llama, AGAIN)[0] == wanted[1]
    assert handler.last_run.reused_tokens > image_of(llama).end
    llama.create_completion("What is this?", max_tokens=5)
    assert ask(llama, AGAIN)[0] == wanted[1]
    assert handler.last_run.reused_tokens == 0
    llama.close()
    handler.close()


def test_logprobs_after_reuse(tiny, new_llama):
    handler = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)

    def scored(llama):
        options = {"max_tokens": 5, "temperature": 0, "logprobs": True, "top_logprobs": 2}
        choice = handler(llama=llama, messages=AGAIN, **options)["choices"][0]
        return [token["logprob"] for token in choice["logprobs"]["content"]]

    llama = new_llama(chat_handler=handler, logits_all=True)
    ask_first = handler(llama=llama, messages=SEEN, max_tokens=3, temperature=0)
    assert ask_first["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}
    found = scored(llama)
    assert handler.last_run.reused_tokens > image_of(llama).end
    np.testing.assert_allclose(found, scored(new_llama(chat_handler=handler, logits_all=True)), rtol=1e-3)
    handler.close()
