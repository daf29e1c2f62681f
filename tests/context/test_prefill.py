"""Prompts of text and rows on a llama_context, and the record that llama-cpp-python keeps of it."""

from __future__ import annotations

import gc
import weakref

import llama_cpp
import numpy as np
import pytest
from golden_pair import TEXT, rows_of

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
    ("rows", "error"),
    [
        (ROWS[:, :64].copy(), InputError),
        (np.vstack([ROWS, np.full((1, 128), np.nan, np.float32)]), NumericError),
        (np.zeros((2000, 128), np.float32), InputError),
    ],
    ids=["narrow", "NaN", "long"],
)
def test_an_error_leaves_what_was_finished(golden_llama, right, rows, error):
    with pytest.raises(error):
        prefill(golden_llama, [IDS[0], IMAGE, rows_of(rows), IDS[1]], Timings())
    assert golden_llama.n_tokens == positions(golden_llama) == 24
    assert prefill(golden_llama, [IDS[0], IMAGE, IDS[1]], Timings()).reused == 24
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
    assert heard == [("prefill", done, 27) for done in (0, 4, 24, 27)]
    assert timings.prefill_text_s > 0
    assert timings.prefill_visual_s > 0
    assert (timings.encode_s, timings.select_s) == (0, 0)


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
