"""What a context holds is evaluated once, and every answer is that of a fresh context all the same."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import llama_cpp
import numpy as np
import pytest
from golden_pair import TEXT, answer_of, assistant, image, photo, rows_of, system, user
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from hired_gguf import (
    ContextOverflowError,
    HiREDChatHandler,
    LlavaNext,
    PromptError,
    StreamError,
    VisionEncoder,
    _core,
)
from hired_gguf.context import prefill as prefill_module
from hired_gguf.context.ledger import Ledger, Span
from hired_gguf.context.prefill import lend_images, prefill, state_of
from hired_gguf.errors import NativeError
from hired_gguf.native.llama import Trace, clear, trace
from hired_gguf.progress import Timings
from models import CONTEXT, load_llama

HEAD, TAIL = [1, 143, 155, 227], [13, 45, 247]
ROWS = np.random.default_rng(0).standard_normal((20, 128)).astype(np.float32)
A, B = rows_of(ROWS), rows_of(ROWS[::-1].copy())

SEEN = [user(image(photo()), "What is this?")]
AGAIN = [user(image(photo()), "Who is in the picture?")]
OTHER = [user(image(photo("chelsea")), "What is this?")]
WORDS = [user("What is a picture?")]


def logits(llama):
    return np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(llama.n_vocab(),)).copy()


def positions(llama):
    return llama_cpp.llama_memory_seq_pos_max(llama_cpp.llama_get_memory(llama._ctx.ctx), 0) + 1


def assert_close(logits, right):
    assert np.abs(logits - right).max() <= 1e-4 * np.abs(right).max()


def ask(llama, messages, handler=None, **options):
    """Text, and the logits after it."""
    handler = handler or llama.chat_handler
    options = {"max_tokens": 8, "temperature": 0, **options}
    return answer_of(handler(llama=llama, messages=messages, **options)), logits(llama)


# The ledger


WRITTEN = {
    "ids": np.array([1, -1, -1, 7], np.intc),
    "array": lambda: HEAD,
    "sampler": lambda: TAIL,
    "evaluated": (4, 1),
    "last_position": 3,
}


@pytest.mark.parametrize(
    "change",
    [
        {"ids": WRITTEN["ids"][:3]},
        {"ids": np.array([1, -1, -1, 8], np.intc)},
        {"ids": np.array([1, -1, -1, 7, 7], np.intc)},
        {"ids": np.empty(0, np.intc)},
        {"array": lambda: list(HEAD)},
        {"array": lambda: None},
        {"sampler": lambda: list(TAIL)},
        {"sampler": lambda: None},
        {"evaluated": (5, 1)},
        {"evaluated": (4, 2)},
        {"last_position": 2},
        {"last_position": 4},
    ],
    ids=str,
)
def test_a_ledger_is_true_of_its_own_trace_alone(change):
    ledger, other = Ledger(Trace(**WRITTEN)), Trace(**{**WRITTEN, **change})
    assert ledger.is_true(ledger.trace)
    assert ledger.is_true(Trace(**{**WRITTEN, "ids": WRITTEN["ids"].copy()}))
    assert not ledger.is_true(other)


def test_a_memory_that_differs_from_the_record_is_never_true():
    """As another image handler leaves it: more positions than ids."""
    longer = Trace(**{**WRITTEN, "last_position": 9})
    assert not Ledger(longer).is_true(longer)


def held(llama, *segments):
    prefill(llama, list(segments), Timings())
    return state_of(llama).ledger


@pytest.mark.parametrize(
    ("segments", "shared"),
    [
        ([HEAD, A, TAIL], 26),
        ([HEAD, A, [*TAIL, 7]], 27),
        ([HEAD, A, [*TAIL, *TAIL]], 27),
        ([HEAD, A, [13, 44, 247]], 25),
        ([HEAD, A, [44]], 24),
        ([HEAD, B, TAIL], 4),
        ([HEAD, rows_of(ROWS[:19]), TAIL], 4),
        ([[*HEAD, 7], A, TAIL], 4),
        ([HEAD[:3], A, TAIL], 3),
        ([HEAD[:2]], 1),
        ([HEAD], 3),
        ([[*HEAD, *[0] * 20, *TAIL]], 4),
        ([[2], A, TAIL], 0),
        ([A, TAIL], 0),
        ([HEAD, A, TAIL, B, TAIL], 27),
    ],
)
def test_how_much_of_a_prompt_is_there(golden_llama, segments, shared):
    ledger = held(golden_llama, HEAD, A, TAIL)
    assert ledger.images == (Span(4, 24, A.key),)
    assert ledger.shared(segments) == shared
    assert Ledger().shared(segments) == 0
    prompt = prefill(golden_llama, segments, Timings())
    assert prompt.reused == shared
    assert len(prompt.ids) == golden_llama.n_tokens == positions(golden_llama) == sum(map(len, segments))
    assert golden_llama._requires_eval is False
    reused = logits(golden_llama)
    clear(golden_llama)
    assert prefill(golden_llama, segments, Timings()).reused == 0
    assert_close(reused, logits(golden_llama))


def test_only_what_is_new_is_evaluated(golden_llama, monkeypatch):
    evaluated = []
    evaluate, decode = golden_llama.eval, _core.prefill_rows
    monkeypatch.setattr(golden_llama, "eval", lambda ids: (evaluated.append(ids), evaluate(ids)))
    monkeypatch.setattr(_core, "prefill_rows", lambda *a: (evaluated.append(len(a[1])), decode(*a)))
    clear(golden_llama)
    prefill(golden_llama, [HEAD, A, TAIL], Timings())
    assert evaluated == [HEAD, 20, TAIL]
    evaluated.clear()
    timings = Timings()
    heard = []
    prefill(golden_llama, [HEAD, A, [13, 7, 8], B, [9]], timings, lambda *step: heard.append(step[1:]))
    assert evaluated == [[7, 8], 20, [9]]
    assert heard == [(25, 48), (27, 48), (47, 48), (48, 48)]
    evaluated.clear()
    timings = Timings()
    prefill(golden_llama, [HEAD, A, [13, 7, 8], B, [9]], timings)
    assert evaluated == [[9]]
    assert timings.prefill_visual_s == 0 < timings.prefill_text_s


def test_an_answer_joins(golden_llama):
    prompt = prefill(golden_llama, [HEAD, A, TAIL], Timings())
    with lend_images(golden_llama, prompt):
        golden_llama.eval([7, 8])
    assert prefill(golden_llama, [HEAD, A, [*TAIL, 7, 8, 9]], Timings()).reused == 29


DISTURBANCES = {
    "eval": lambda llama: llama.eval([5]),
    "reset": lambda llama: llama.reset(),
    "reset and the same": lambda llama: (llama.reset(), llama.eval(HEAD)),
    "clear": lambda llama: llama._ctx.kv_cache_clear(),
    "cut": lambda llama: llama._ctx.kv_cache_seq_rm(-1, 20, -1),
    "other ids": lambda llama: llama.input_ids.__setitem__(2, 9),
    "fewer tokens": lambda llama: setattr(llama, "n_tokens", 26),
    "a plain completion": lambda llama: llama.create_completion(HEAD[:2], max_tokens=2),
    "one sampled token": lambda llama: next(llama.generate(TAIL, temp=0)),
    "save and load": lambda llama: llama.load_state(llama.save_state()),
    "image rows by another": lambda llama: rewrite_rows(llama, ROWS[::-1]),
}


def rewrite_rows(llama, rows):
    """As llama-cpp-python's own image handlers do it: positions are filled and ids are not written."""
    llama.reset()
    llama._ctx.kv_cache_clear()
    llama.eval(HEAD)
    batch = llama_cpp.llama_batch_init(len(rows), rows.shape[1], 1)
    batch.n_tokens = len(rows)
    rows = np.ascontiguousarray(rows)
    ctypes.memmove(batch.embd, rows.ctypes.data, rows.nbytes)
    for i in range(len(rows)):
        batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = 4 + i, 1, 0, 0
    assert llama_cpp.llama_decode(llama._ctx.ctx, batch) == 0
    llama_cpp.llama_batch_free(batch)
    llama.n_tokens = 4 + len(rows)
    llama.eval(TAIL)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_somebody_elses_use_is_noticed(golden_llama, name):
    clear(golden_llama)
    ledger = held(golden_llama, HEAD, A, TAIL)
    right = logits(golden_llama)
    assert ledger.is_true(trace(golden_llama))
    DISTURBANCES[name](golden_llama)
    assert not ledger.is_true(trace(golden_llama))
    assert prefill(golden_llama, [HEAD, A, TAIL], Timings()).reused == 0
    np.testing.assert_array_equal(logits(golden_llama), right)


def test_looking_is_no_use(golden_llama):
    ledger = held(golden_llama, HEAD, A, TAIL)
    golden_llama.save_state()
    golden_llama.tokenize(b"words")
    logits(golden_llama)
    assert ledger.is_true(trace(golden_llama))


@pytest.mark.parametrize("kind", ["_is_recurrent", "_is_hybrid"])
def test_a_recurrent_state_is_never_cut(golden_llama, monkeypatch, kind):
    held(golden_llama, HEAD, A, TAIL)
    monkeypatch.setattr(golden_llama, kind, True)
    assert prefill(golden_llama, [HEAD, A, TAIL], Timings()).reused == 0


def test_a_window_that_forgot_is_not_reused(golden_llama, monkeypatch):
    held(golden_llama, HEAD, A, TAIL)
    monkeypatch.setattr(llama_cpp, "llama_memory_seq_pos_min", lambda memory, sequence: 3)
    assert prefill(golden_llama, [HEAD, A, TAIL], Timings()).reused == 0


def test_a_memory_that_cannot_be_cut_is_emptied(golden_llama, monkeypatch):
    clear(golden_llama)
    held(golden_llama, HEAD, A, TAIL)
    right = logits(golden_llama)
    remove = golden_llama._ctx.kv_cache_seq_rm
    monkeypatch.setattr(
        golden_llama._ctx, "kv_cache_seq_rm", lambda s, a, b: a in (0, 4, 24) and remove(s, a, b)
    )
    assert prefill(golden_llama, [HEAD, A, TAIL], Timings()).reused == 0
    np.testing.assert_array_equal(logits(golden_llama), right)


@pytest.mark.parametrize(("fails", "left"), [(1, 4), (2, 24), (3, 27)])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupt_leaves_whole_segments(golden_llama, monkeypatch, fails, left, error):
    """Interrupted after the evaluation and before it is written down."""
    clear(golden_llama)
    right = held(golden_llama, HEAD, A, TAIL, B, [9]) and logits(golden_llama)
    clear(golden_llama)
    calls = []

    def look(llama):
        calls.append(llama.n_tokens)
        if len(calls) == fails + 3:  # the first two are of the empty context
            raise error
        return trace(llama)

    with monkeypatch.context() as patch:
        patch.setattr(prefill_module, "trace", look)
        with pytest.raises(error):
            prefill(golden_llama, [HEAD, A, TAIL, B, [9]], Timings())
    assert golden_llama.n_tokens == positions(golden_llama) == left
    assert prefill(golden_llama, [HEAD, A, TAIL, B, [9]], Timings()).reused == left
    assert_close(logits(golden_llama), right)


@pytest.mark.parametrize("call", range(1, 4))
@pytest.mark.parametrize("status", [1, -1, -2])
def test_llama_cpps_errors_empty_the_context(golden_llama, monkeypatch, call, status):
    clear(golden_llama)
    held(golden_llama, HEAD, A, TAIL)
    right = logits(golden_llama)
    decode, calls = golden_llama._ctx.decode, []

    def fail(batch):
        calls.append(batch)
        if len(calls) == call:
            raise RuntimeError(f"llama_decode returned {status}")
        decode(batch)

    with monkeypatch.context() as patch:
        patch.setattr(golden_llama._ctx, "decode", fail)
        with pytest.raises(NativeError, match=f"returned {status}"):
            prefill(golden_llama, [[2], B, [3], A, [4]], Timings())
    assert golden_llama.n_tokens == positions(golden_llama) == 0
    assert prefill(golden_llama, [HEAD, A, TAIL], Timings()).reused == 0
    np.testing.assert_array_equal(logits(golden_llama), right)


def test_scores_of_reused_text_stay(tiny):
    llama = load_llama(TEXT, logits_all=True)
    prefill(llama, [HEAD, A, TAIL], Timings())
    scores = llama.scores[:27].copy()
    prompt = prefill(llama, [HEAD, A, [*TAIL, 7]], Timings())
    assert prompt.reused == 27
    text = [*range(4), *range(24, 27)]
    np.testing.assert_array_equal(llama.scores[text], scores[text])
    llama.close()


# Answers


def shown(array):
    return {"type": "image", "image": array}


def image_of(llama, number=0):
    """Where an image stands."""
    return state_of(llama).ledger.images[number]


@pytest.fixture
def counted(monkeypatch):
    """Every encoding, row batch and text batch: ("encode",), ("rows", n), ("text", n)."""
    work = []
    encode, rows, text = VisionEncoder._run, _core.prefill_rows, llama_cpp.Llama.eval

    def spy(function, name, size):
        return lambda *args, **named: (work.append((name, *size(args))), function(*args, **named))[1]

    monkeypatch.setattr(VisionEncoder, "_run", spy(encode, "encode", lambda args: ()))
    monkeypatch.setattr(_core, "prefill_rows", spy(rows, "rows", lambda args: (len(args[1]),)))
    monkeypatch.setattr(llama_cpp.Llama, "eval", spy(text, "text", lambda args: (len(args[1]),)))
    return work


@pytest.fixture
def used(tiny, new_llama):
    """A context with a handler of its own."""
    handler = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)
    yield new_llama(chat_handler=handler)
    handler.close()


@pytest.fixture
def right(tiny, new_llama):
    """The answer of a context that nobody has used, whose images are encoded anew."""
    handler = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1, cache_bytes=0)
    yield lambda messages, **options: ask(new_llama(chat_handler=handler), messages, **options)
    handler.close()


@pytest.fixture
def check(used, right):
    """Asks the used context, and holds its answer against that of a fresh one. The call's record."""

    def check(messages, handler=None, **options):
        found, wanted = ask(used, messages, handler, **options), right(messages, **options)
        assert found[0] == wanted[0]
        assert_close(found[1], wanted[1])
        return (handler or used.chat_handler).last_run

    return check


def test_the_second_question_costs_its_own_text(used, right, counted):
    wanted = right(SEEN), right(AGAIN)
    counted.clear()
    first = ask(used, SEEN)
    assert [work for work in counted if work[0] != "text"] == [("encode",), ("rows", 88)]
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
        assert ("rows", rows) in counted
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
        "encode": (VisionEncoder, "_run"),
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


# Any order


KNOBS = {"budget": 0.5}, {"budget": 3}, {"budget": 3, "alpha": 1.0}


class AnyOrder(RuleBasedStateMachine):
    """Questions about small pictures, and everything that may happen between them."""

    pair = None
    pictures = tuple(np.random.default_rng(i).integers(0, 256, (40, 60, 3), np.uint8) for i in range(2))

    @initialize(cache_bytes=st.sampled_from([0, 60_000, 1 << 20]))
    def start(self, cache_bytes):
        options = {"budget": 0.5, "n_threads": 1, "template": "mistral"}
        self.handlers = [HiREDChatHandler(self.pair[1], cache_bytes=cache_bytes, **options) for _ in range(2)]
        self.plain = HiREDChatHandler(self.pair[1], cache_bytes=0, **options)
        self.llama, self.fresh = (load_llama(self.pair[0], n_ctx=512) for _ in range(2))
        self.state, self.stream, self.history = None, None, []

    parts = st.lists(st.sampled_from([0, 1, "Why?", "What is this?"]), min_size=1, max_size=3)

    @rule(parts=parts, who=st.integers(0, 1), knobs=st.sampled_from(KNOBS), goes_on=st.booleans())
    def ask(self, parts, who, knobs, goes_on):
        turn = user(*(part if isinstance(part, str) else shown(self.pictures[part]) for part in parts), "?")
        messages = [*(self.history if goes_on else []), turn]
        options = {"max_tokens": 3, **knobs}
        clear(self.fresh)
        wanted = ask(self.fresh, messages, self.plain, **options)
        found = ask(self.llama, messages, self.handlers[who], **options)
        assert found[0] == wanted[0]
        assert_close(found[1], wanted[1])
        self.history = [*messages, assistant(found[0])][-4:]

    @rule(picture=st.integers(0, 1), read=st.integers(0, 3))
    def stream_a_little(self, picture, read):
        turn = user(shown(self.pictures[picture]), "What is this?")
        self.stream = self.handlers[0](
            llama=self.llama, messages=[turn], max_tokens=4, temperature=0, stream=True
        )
        for _ in range(read):
            next(self.stream)

    @precondition(lambda self: self.stream is not None)
    @rule()
    def go_on_streaming(self):
        try:
            next(self.stream, None)
        except StreamError:
            self.stream = None

    @rule(words=st.sampled_from(["What", "Why? What is this?"]))
    def complete(self, words):
        self.llama.create_completion(words, max_tokens=3, temperature=0)

    @rule(at=st.integers(1, 3))
    def interrupt(self, at):
        steps = []

        def stop(stage, done, total):
            steps.append(stage)
            if len(steps) == at:
                raise KeyboardInterrupt

        handler = self.handlers[0]
        handler.on_progress = stop
        turn = user(shown(self.pictures[1]), "And this", shown(self.pictures[0]), "?")
        with suppress(KeyboardInterrupt):  # where all is there already, there are fewer steps
            ask(self.llama, [turn], handler)
        handler.on_progress = None

    @rule()
    def reset(self):
        self.llama.reset()

    @rule()
    def clear_memory(self):
        self.llama._ctx.kv_cache_clear()

    @rule()
    def save(self):
        self.state = self.llama.save_state() if self.llama.n_tokens else None

    @precondition(lambda self: self.state is not None)
    @rule()
    def load(self):
        self.llama.load_state(self.state)

    @rule()
    def close_the_handler(self):
        self.handlers[1].close()

    def teardown(self):
        if hasattr(self, "llama"):
            for closable in (self.llama, self.fresh, self.plain, *self.handlers):
                closable.close()


def test_any_order(tiny):
    AnyOrder.pair = tiny
    quick = settings(max_examples=40, stateful_step_count=20, deadline=None, derandomize=True, database=None)
    run_state_machine_as_test(AnyOrder, settings=quick)
