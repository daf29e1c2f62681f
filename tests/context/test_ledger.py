"""What a context holds: how much of a prompt is there, and that somebody else's use is noticed."""

from __future__ import annotations

import ctypes

import llama_cpp
import numpy as np
import pytest
from contexts import assert_close, logits, positions
from golden_pair import TEXT, rows_of

from hired_gguf import (
    _core,
)
from hired_gguf.context import prefill as prefill_module
from hired_gguf.context.ledger import Ledger, Span
from hired_gguf.context.prefill import lend_images, prefill, state_of
from hired_gguf.errors import NativeError
from hired_gguf.native.llama import Trace, clear, trace
from hired_gguf.progress import Timings
from models import load_llama

HEAD, TAIL = [1, 143, 155, 227], [13, 45, 247]
ROWS = np.random.default_rng(0).standard_normal((20, 128)).astype(np.float32)
A, B = rows_of(ROWS), rows_of(ROWS[::-1].copy())


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


@pytest.fixture
def evaluated(golden_llama, monkeypatch):
    """The batches of a context that was emptied: ids of text, the number of rows."""
    batches = []
    evaluate, decode = golden_llama.eval, _core.prefill_rows
    monkeypatch.setattr(golden_llama, "eval", lambda ids: (batches.append(ids), evaluate(ids)))
    monkeypatch.setattr(_core, "prefill_rows", lambda *a: (batches.append(len(a[1])), decode(*a)))
    clear(golden_llama)
    return batches


def test_only_what_is_new_is_evaluated(golden_llama, evaluated):
    prefill(golden_llama, [HEAD, A, TAIL], Timings())
    assert evaluated == [27]
    evaluated.clear()
    heard, wanted = [], [HEAD, A, [13, 7, 8], B, [9]]
    prefill(golden_llama, wanted, Timings(), lambda *step: heard.append(step[1:]))
    assert evaluated == [23]
    assert heard == [(25, 48), (48, 48)]
    evaluated.clear()
    timings = Timings()
    prefill(golden_llama, [HEAD, A, [13, 7, 8], B, [9]], timings)
    assert evaluated == [[9]]
    assert timings.prefill_visual_s == 0 < timings.prefill_text_s


def test_only_what_is_new_is_evaluated_apart(apart, golden_llama, evaluated):
    prefill(golden_llama, [HEAD, A, TAIL], Timings())
    assert evaluated == [HEAD, 20, TAIL]
    evaluated.clear()
    heard, wanted = [], [HEAD, A, [13, 7, 8], B, [9]]
    prefill(golden_llama, wanted, Timings(), lambda *step: heard.append(step[1:]))
    assert evaluated == [[7, 8], 20, [9]]
    assert heard == [(25, 48), (27, 48), (47, 48), (48, 48)]


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


LONG = [HEAD, A, TAIL, B, [9]]
WAYS = pytest.mark.parametrize("way", ["joined", "apart"])


@pytest.fixture
def short_batches(request, way):
    """A context of 16 positions a batch, and what its batches leave whole: 4, 24, 27, 47 are the seams."""
    if way == "apart":
        request.getfixturevalue("apart")
    llama = load_llama(TEXT, n_batch=16)
    yield llama, {"joined": (0, 4, 27, 48), "apart": (0, 4, 4, 24, 27, 27, 47, 48)}[way]
    llama.close()


@WAYS
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupt_leaves_whole_images(short_batches, monkeypatch, error):
    """Interrupted after the evaluation and before it is written down."""
    llama, left = short_batches
    right = held(llama, *LONG) and logits(llama)
    for fails in range(len(left) - 1):
        clear(llama)
        calls = []

        def look(llama, calls=calls, fails=fails):
            calls.append(llama.n_tokens)
            if len(calls) == fails + 3:  # the first two are of the empty context
                raise error
            return trace(llama)

        with monkeypatch.context() as patch:
            patch.setattr(prefill_module, "trace", look)
            with pytest.raises(error):
                prefill(llama, LONG, Timings())
        assert llama.n_tokens == positions(llama) == left[fails]
        assert prefill(llama, LONG, Timings()).reused == left[fails]
        assert_close(logits(llama), right)


@WAYS
@pytest.mark.parametrize("step", range(3))
def test_an_error_of_the_listener_leaves_whole_images(short_batches, step):
    llama, left = short_batches
    told = []

    def listen(*heard):
        told.append(heard)
        if len(told) == step + 1:
            raise ZeroDivisionError

    clear(llama)
    with pytest.raises(ZeroDivisionError):
        prefill(llama, LONG, Timings(), listen)
    assert llama.n_tokens == positions(llama) == left[step]


@WAYS
@pytest.mark.parametrize("call", range(1, 4))
@pytest.mark.parametrize("memory", [False, True])
def test_llama_cpps_errors_empty_the_context(short_batches, monkeypatch, call, memory):
    """Memory that ran out, too: somewhere in a batch."""
    llama, _ = short_batches
    held(llama, HEAD, A, TAIL)
    right, calls = logits(llama), []

    def failing(native, error):
        def fail(*args):
            calls.append(args)
            if len(calls) == call:
                raise MemoryError if memory else error
            return native(*args)

        return fail

    with monkeypatch.context() as patch:
        patch.setattr(_core, "prefill_rows", failing(_core.prefill_rows, NativeError("gave -1")))
        patch.setattr(llama._ctx, "decode", failing(llama._ctx.decode, RuntimeError("gave -1")))
        with pytest.raises(MemoryError if memory else NativeError, match=None if memory else "gave -1"):
            prefill(llama, [[2], B, [3], A, [4]], Timings())
    assert llama.n_tokens == positions(llama) == 0
    assert prefill(llama, [HEAD, A, TAIL], Timings()).reused == 0
    np.testing.assert_array_equal(logits(llama), right)


def test_scores_of_reused_text_stay(tiny):
    llama = load_llama(TEXT, logits_all=True)
    prefill(llama, [HEAD, A, TAIL], Timings())
    scores = llama.scores[:27].copy()
    prompt = prefill(llama, [HEAD, A, [*TAIL, 7]], Timings())
    assert prompt.reused == 27
    text = [*range(4), *range(24, 27)]
    np.testing.assert_array_equal(llama.scores[text], scores[text])
    llama.close()
