"""Prompts of text and rows on a llama_context, and the record that llama-cpp-python keeps of it."""

from __future__ import annotations

import gc
import weakref

import llama_cpp
import numpy as np
import pytest
from golden_pair import TEXT, rows_of

from hired_gguf import _core
from hired_gguf.context import prefill as prefill_module
from hired_gguf.context.prefill import lend_images, prefill, state_of
from hired_gguf.errors import InputError, NativeError, NumericError
from hired_gguf.native.llama import clear
from hired_gguf.progress import Timings
from models import load_llama

IDS = [1, 143, 155, 227], [13, 45, 247]
ROWS = np.random.default_rng(0).standard_normal((20, 128)).astype(np.float32)
IMAGE = rows_of(ROWS)


def logits(llama):
    return np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(320,)).copy()


def positions(llama):
    memory = llama_cpp.llama_get_memory(llama._ctx.ctx)
    return llama_cpp.llama_memory_seq_pos_max(memory, 0) + 1


@pytest.fixture(scope="module")
def right(golden_llama):
    """The logits after IDS[0], IMAGE, IDS[1]."""
    prefill(golden_llama, [IDS[0], IMAGE, IDS[1]], Timings())
    return logits(golden_llama)


def test_the_record_fits_the_context(golden_llama):
    prompt = prefill(golden_llama, [IDS[0], IMAGE, IDS[1], rows_of(ROWS[:2]), [5]], Timings())
    assert prompt.ids == [*IDS[0], *[0] * 20, *IDS[1], 0, 0, 5]
    assert prompt.image_spans == [(4, 24), (27, 29)]
    assert golden_llama.n_tokens == positions(golden_llama) == 30
    assert golden_llama._requires_eval is False


def test_images_are_lent_and_no_more(golden_llama):
    prompt = prefill(golden_llama, [IDS[0], IMAGE, IDS[1]], Timings())
    foreign = [*IDS[0], *[-1] * 20, *IDS[1]]
    assert golden_llama._input_ids.tolist() == foreign
    with lend_images(golden_llama, prompt):
        assert golden_llama._input_ids.tolist() == prompt.ids
    assert golden_llama._input_ids.tolist() == foreign
    with pytest.raises(KeyboardInterrupt), lend_images(golden_llama, prompt):
        raise KeyboardInterrupt
    assert golden_llama._input_ids.tolist() == foreign


def test_every_prompt_is_evaluated_as_if_alone(golden_llama, right):
    for _ in range(2):
        prefill(golden_llama, [[1, *range(10, 200)]], Timings())
        prefill(golden_llama, [IDS[0], IMAGE, IDS[1]], Timings())
        np.testing.assert_allclose(logits(golden_llama), right, atol=1e-3)
        golden_llama.eval([7, 8, 9])


@pytest.mark.parametrize("n_batch", [1, 3, 7, 20, 64])
def test_batches_do_not_matter(right, n_batch):
    llama = load_llama(TEXT, n_batch=n_batch)
    prefill(llama, [IDS[0], IMAGE, IDS[1]], Timings())
    np.testing.assert_allclose(logits(llama), right, atol=1e-3)
    llama.close()


def test_rows_that_are_embeddings_equal_tokens(golden_llama, right):
    """The rows of the token embedding table, given as an image, are those tokens."""
    import gguf  # noqa: PLC0415

    (table,) = (t.data for t in gguf.GGUFReader(TEXT).tensors if t.name == "token_embd.weight")
    tokens = [33, 44, 55]
    prefill(golden_llama, [IDS[0], rows_of(np.ascontiguousarray(table[tokens])), IDS[1]], Timings())
    as_rows = logits(golden_llama)
    prefill(golden_llama, [[*IDS[0], *tokens, *IDS[1]]], Timings())
    np.testing.assert_allclose(as_rows, logits(golden_llama), atol=1e-3)
    assert np.abs(as_rows - right).max() > 0.1


@pytest.mark.parametrize(
    ("case", "rows", "error"),
    [
        ("narrow", ROWS[:, :64].copy(), InputError),
        ("NaN", np.vstack([ROWS, np.full((1, 128), np.nan, np.float32)]), NumericError),
        ("long", np.zeros((2000, 128), np.float32), InputError),
    ],
)
def test_an_error_leaves_what_was_finished(golden_llama, right, case, rows, error):
    clear(golden_llama)
    with pytest.raises(error):
        prefill(golden_llama, [IDS[0], IMAGE, rows_of(rows), IDS[1]], Timings())
    left = {"narrow": 24, "NaN": 0, "long": 24}[case]
    assert golden_llama.n_tokens == positions(golden_llama) == left
    assert prefill(golden_llama, [IDS[0], IMAGE, IDS[1]], Timings()).reused == left
    np.testing.assert_allclose(logits(golden_llama), right, atol=1e-3)


def test_text_that_cannot_be_evaluated(golden_llama, monkeypatch):
    def fail(ids):
        raise RuntimeError("llama_decode returned -1")

    monkeypatch.setattr(golden_llama, "eval", fail)
    with pytest.raises(NativeError, match=r"\[prefill\] .*the prompt's text: llama_decode returned -1"):
        prefill(golden_llama, [IDS[0]], Timings())
    assert golden_llama.n_tokens == positions(golden_llama) == 0


def test_errors_of_the_caller_stay_what_they_are(golden_llama):
    def fail(*_):
        raise RuntimeError("mine")

    clear(golden_llama)
    with pytest.raises(RuntimeError, match="mine") as caught:
        prefill(golden_llama, [IDS[0], IDS[1]], Timings(), fail)
    assert caught.type is RuntimeError
    assert golden_llama.n_tokens == positions(golden_llama) == 0


def test_progress_and_timings(golden_llama):
    heard, timings = [], Timings()
    clear(golden_llama)
    prefill(golden_llama, [IDS[0], IMAGE, IDS[1]], timings, lambda *step: heard.append(step))
    assert heard == [("prefill", done, 27) for done in (0, 27)]
    assert timings.prefill_text_s == pytest.approx(timings.prefill_visual_s * 7 / 20)
    assert timings.prefill_visual_s > 0
    assert (timings.encode_s, timings.select_s) == (0, 0)


@pytest.mark.parametrize(("n_batch", "done"), [(16, (0, 16, 27)), (10, (0, 10, 20, 27)), (27, (0, 27))])
def test_progress_between_batches(n_batch, done):
    heard = []
    llama = load_llama(TEXT, n_batch=n_batch)
    prefill(llama, [IDS[0], IMAGE, IDS[1]], Timings(), lambda *step: heard.append(step[1]))
    assert tuple(heard) == done
    llama.close()


# Text and images in one batch, beside each in batches of its own


PROMPTS = {
    "one image": [IDS[0], IMAGE, IDS[1]],
    "two": [IDS[0], IMAGE, IDS[1], rows_of(ROWS[:2]), [5]],
    "an image first": [IMAGE, IDS[1]],
    "side by side": [IDS[0], IMAGE, rows_of(ROWS[:7]), IDS[1]],
    "a token twice": [[1, 9, 9], IMAGE, [9, 9]],
}


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("n_batch", [3, 20, 512])
@pytest.mark.parametrize("fresh", [False, True])
def test_together_is_as_apart(monkeypatch, prompt, n_batch, fresh):
    found = {}
    for way in ("together", "apart"):
        with monkeypatch.context() as patch:
            if way == "apart":
                patch.setattr(prefill_module, "token_table", lambda llama: None)
            llama = load_llama(TEXT, n_batch=n_batch)
            ids = prefill(llama, PROMPTS[prompt], Timings(), fresh=fresh).ids
            chosen = [t for t, _ in zip(llama.generate(ids, temp=0, reset=True), range(5), strict=False)]
            found[way] = ids, chosen, logits(llama)
            llama.close()
    assert found["together"][:2] == found["apart"][:2]
    np.testing.assert_allclose(found["together"][2], found["apart"][2], atol=1e-3)


def test_one_batch_where_there_is_a_table(golden_llama, monkeypatch):
    calls = []
    decode = _core.prefill_rows
    monkeypatch.setattr(_core, "prefill_rows", lambda *args: (calls.append(len(args[1])), decode(*args)))
    monkeypatch.setattr(golden_llama, "eval", None)  # a call would fail
    clear(golden_llama)
    prefill(golden_llama, PROMPTS["two"], Timings())
    assert calls == [30]


def test_scores_that_are_kept_are_those_of_text_alone(monkeypatch):
    llama = load_llama(TEXT, logits_all=True)
    wanted = load_llama(TEXT, logits_all=True)
    prefill(llama, [IDS[0], IMAGE, IDS[1]], Timings())
    wanted.eval(IDS[0])
    np.testing.assert_array_equal(llama.scores[:4], wanted.scores[:4])
    assert not llama.scores[4:24].any()
    assert llama.scores[24:27].any(axis=1).all()
    llama.close()
    wanted.close()


@pytest.mark.parametrize("before", [[], [7, 8, 9, 10], [13, 45, 9]])
def test_fresh_numbers_are_those_of_an_empty_context(tiny, before):
    """Bit for bit, on weights whose product with few rows is another than with many."""
    rows = np.random.default_rng(1).standard_normal((70, 128)).astype(np.float32)
    image = rows_of(rows)
    llama = load_llama(tiny[0])
    prefill(llama, [IDS[0], image, IDS[1]], Timings(), fresh=True)
    wanted = logits(llama)
    clear(llama)
    if before:
        with lend_images(llama, prefill(llama, [IDS[0], image, before], Timings(), fresh=True)):
            llama.eval([5, 6])
    prompt = prefill(llama, [IDS[0], image, IDS[1]], Timings(), fresh=True)
    assert prompt.reused == (74 if before else 0)
    np.testing.assert_array_equal(logits(llama), wanted)
    llama.close()


def test_every_prompt_has_a_number(golden_llama):
    before = state_of(golden_llama).prompt_number
    prefill(golden_llama, [IDS[0]], Timings())
    assert state_of(golden_llama).prompt_number == before + 1
    assert state_of(golden_llama) is state_of(golden_llama)


def test_the_state_goes_with_its_llama():
    llama = load_llama(TEXT, vocab_only=True)
    state = weakref.ref(state_of(llama))
    assert state() is not None
    llama.close()
    del llama
    gc.collect()
    assert state() is None
