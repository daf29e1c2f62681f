"""Answers stay those of a fresh context when others use it, or something fails, in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import llama_cpp
import pytest
from contexts import AGAIN, OTHER, SEEN, WORDS, ask, image_of, positions
from golden_pair import image, photo, user

from hired_gguf import ContextOverflowError, HiREDChatHandler, PromptError, StreamError, VisionEncoder, _core

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all


def test_between_two_questions(used, check):
    """What others may do to a context in between."""
    check(SEEN)
    for disturb in (
        lambda: used.create_completion("What is this?", max_tokens=5, temperature=0),
        lambda: used.create_completion("USER: What", max_tokens=5, temperature=0, stream=True),
        used.reset,
        used._ctx.kv_cache_clear,
        lambda: used.load_state(used.save_state()),
        lambda: used.eval([5, 6]),
    ):
        result = disturb()
        if hasattr(result, "__next__"):
            next(result)
        check(AGAIN)
        check(SEEN)


def test_a_state_that_somebody_else_brings_back(used, check):
    check(SEEN)
    state = used.save_state()
    check(OTHER)
    used.load_state(state)
    check(OTHER)
    used.load_state(state)
    check(AGAIN)


def test_an_image_that_another_handler_put_there(tiny, used, check):
    """Upstream's handlers fill positions and write no ids: ours stay behind them."""
    upstream = llama_cpp.llama_chat_format.Llava16ChatHandler(str(tiny[1]), verbose=False)
    check(SEEN)
    for messages in (SEEN, AGAIN):
        data = [user(image(photo("chelsea").as_uri()), "What is this?")]
        upstream(llama=used, messages=data, max_tokens=8, temperature=0)
        check(messages)


def test_two_handlers_on_one_llama(tiny, used, check):
    same = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)
    check(SEEN)
    run = check(AGAIN, handler=same)
    assert run.encoded_images == 1
    assert run.reused_tokens > image_of(used).end  # the same file, so the same rows
    check(SEEN)
    same.close()


def test_two_files_on_one_llama(tiny, used, check, tmp_path):
    from gguf_rewrite import rewrite  # noqa: PLC0415

    path = rewrite(tiny[1], tmp_path / "b.gguf", tensors={"mm.2.bias": lambda values: values + 1})
    other = HiREDChatHandler(path, budget=1.0, n_threads=1)
    check(SEEN)
    ask(used, SEEN, other)
    assert other.last_run.reused_tokens == image_of(used).start
    assert check(SEEN).reused_tokens == image_of(used).start
    other.close()


def test_an_abandoned_stream(used, check):
    for read in (0, 1, 4):
        stream = used.create_chat_completion(SEEN, stream=True, temperature=0, max_tokens=10)
        for _ in range(read):
            next(stream)
        assert check(AGAIN).reused_tokens > image_of(used).end
        with pytest.raises(StreamError):
            next(stream)


@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.parametrize("evaluated", [False, True])
def test_an_answer_that_is_interrupted(used, check, monkeypatch, at, evaluated):
    evaluate, steps = llama_cpp.Llama.eval, []

    def interrupt(llama, ids):
        steps.append(len(ids))
        if evaluated or steps.count(1) < at:
            evaluate(llama, ids)
        if steps.count(1) == at:
            raise KeyboardInterrupt

    for stream in (False, True):
        steps.clear()
        with monkeypatch.context() as patch:
            patch.setattr(llama_cpp.Llama, "eval", interrupt)
            with pytest.raises(KeyboardInterrupt):
                list(used.create_chat_completion(SEEN, stream=stream, temperature=0, max_tokens=8))
        assert used.n_tokens == positions(used)
        assert check(AGAIN).reused_tokens > image_of(used).end


@pytest.mark.parametrize("stage", ["encode", "rows", "text"])
def test_a_prompt_that_is_interrupted(used, check, monkeypatch, stage):
    check(AGAIN)
    owner, name = {
        "encode": (VisionEncoder, "_native"),
        "rows": (_core, "prefill_rows"),
        "text": (llama_cpp.Llama, "eval"),
    }[stage]

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupt)
        with pytest.raises(KeyboardInterrupt):
            ask(used, OTHER)
    assert used.n_tokens == positions(used)
    check(OTHER)
    check(SEEN)


def test_requests_that_fail(used, check):
    check(SEEN)
    for messages, error in (
        ([user(image(photo()), "Q " * 3000)], ContextOverflowError),
        ([], PromptError),
        ([user(image("missing.png"), "Q")], ValueError),
    ):
        with pytest.raises(error):
            ask(used, messages)
        run = check(SEEN)
        assert run.reused_tokens == run.prompt_tokens - 1


def test_threads(tiny, used, right):
    questions = (SEEN, AGAIN, OTHER, WORDS)
    wanted = [right(messages)[0] for messages in questions]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda i: [ask(used, questions[i])[0] for _ in range(5)], range(4))
    assert list(found) == [[text] * 5 for text in wanted]
    cache = used.chat_handler._cache
    assert (cache.misses, len(cache)) == (2, 2)
