"""An image encoded step by step, as far as a budget needs it: the same bits as all at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, NAMES, cosines, golden, photo
from hypothesis import given, settings
from hypothesis import strategies as st
from native_calls import NativeCalls

from hired_gguf import InputError, NumericError, TokenBudget, VisionEncoder, _core
from hired_gguf.selection import policies
from hired_gguf.selection.policies import ALLOCATIONS, SELECTIONS
from hired_gguf.vision.encoding import TiledPicture

V = "clip.vision."
BY_ROWS = [name for name, choice in SELECTIONS.items() if "rows" in choice.needs]
BUDGETS = st.builds(
    TokenBudget,
    st.integers(1, 48) | st.floats(0.03, 1.0),
    alpha=st.floats(0, 1),
    allocation=st.sampled_from(sorted(ALLOCATIONS)),
    selection=st.sampled_from(["cls", "cls", "cen-div", "visionzip"]),
    newlines=st.sampled_from(["auto", "keep"]),
)


@pytest.fixture
def native(monkeypatch):
    return NativeCalls(monkeypatch)


@pytest.fixture(scope="module")
def whole(encoder, tiled):
    return encoder.encode_tiled(tiled())


def steps(encoder, picture, budget, known=None):
    """The image, and what the budget selects of it."""
    image = encoder.encode_tiled(picture, budget, known)
    selection = image.select_with(budget)
    return encoder.finish(image, selection), selection


def assert_right(image, selection, whole):
    """What was selected, and the rows of it, are those of the image that was encoded as a whole."""
    right = whole.select_with(selection.config)
    np.testing.assert_array_equal(selection.mask, right.mask)
    np.testing.assert_array_equal(selection.packing, right.packing)
    np.testing.assert_array_equal(image.pack(selection), whole.pack(right))


# The same as all at once


@settings(max_examples=60)
@given(budget=BUDGETS, name=st.sampled_from(NAMES))
def test_every_budget_gets_the_rows_of_the_whole_image(any_encoder, tiled, budget, name):
    picture = tiled(name)
    whole = any_encoder.encode_tiled(picture)
    image, selection = steps(any_encoder, picture, budget)
    assert_right(image, selection, whole)
    for attention in ("attention_first", "attention_last"):
        found, right = getattr(image, attention), getattr(whole, attention)
        np.testing.assert_array_equal(found[image.encoded], right[image.encoded])
        assert not found[~image.encoded].any()
    np.testing.assert_array_equal(image.rows, whole.rows[image.ids])


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_kept_rows_equal_hugging_face(any_encoder, close, tiled, name):
    right = golden(name)
    image, selection = steps(any_encoder, tiled(name), TokenBudget(0.3))
    seen = image.encoded
    close.check_attention(image.attention_last[seen], right["cls_attention"][seen, 2])
    rows = right["projected"].reshape(-1, 128)[selection.order]
    close.check_rows(image.pack(selection), rows)


@pytest.mark.parametrize("kernels", ["0", "1"])
@pytest.mark.parametrize("flash_attention", ["on", "off"])
@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_0"])
def test_every_type(every_type, tiled, monkeypatch, kind, flash_attention, kernels):  # noqa: PLR0917
    monkeypatch.setenv("HIRED_GGUF_KERNELS", kernels)
    with VisionEncoder(every_type[kind], n_threads=2, flash_attention=flash_attention) as encoder:
        whole = encoder.encode_tiled(tiled())
        for tokens in (1, 2, 5, 16, 41):
            image, selection = steps(encoder, tiled(), TokenBudget(tokens))
            if kind.startswith("Q") and kernels == "1":  # the kernels multiply few rows in another way
                rows = whole.rows[selection.order]
                assert cosines(image.pack(selection), rows).min() > 0.9999
            else:
                assert_right(image, selection, whole)


def test_a_model_without_tiles(variant):
    plain = variant(drop=(V + "image_grid_pinpoints", V + "mm_patch_merge_type", "model.image_newline"))
    picture = TiledPicture.of(plain.encode(photo()).picture, plain.info)
    for tokens in (1, 5, 15):
        assert_right(*steps(plain, picture, TokenBudget(tokens)), plain.encode_tiled(picture))


@pytest.mark.parametrize("layers", [1, 2])
def test_a_tower_that_ends_early(variant, tiled, layers):
    early = variant(keys={V + "feature_layer": [layers]})
    assert_right(*steps(early, tiled(), TokenBudget(17)), early.encode_tiled(tiled()))


@pytest.mark.parametrize("selection", BY_ROWS)
@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_a_selection_by_rows_is_that_of_encode(encoder, tiled, allocation, selection):
    """At once, after a budget by attention, and that budget after it."""
    right = encoder.encode(photo(), features=False)
    words = right.projected[0, :2]
    by_rows = TokenBudget(13, allocation=allocation, selection=selection)
    by_attention = TokenBudget(21, allocation=allocation)
    for budgets in ((by_rows,), (by_attention, by_rows), (by_rows, by_attention)):
        image = None
        for budget in budgets:
            image = encoder.encode_tiled(tiled(), budget, image).asked(words)
            chosen = image.select_with(budget)
            image = encoder.finish(image, chosen)
            assert_right(image, chosen, right.asked(words))


# What is computed


def test_nothing_that_a_budget_does_not_need(encoder, tiled, native):
    image, selection = steps(encoder, tiled(), TokenBudget(0.2))
    tiles = np.flatnonzero(selection.counts[1:]) + 1
    assert native.made == [("begin", 1), ("begin", len(tiles)), ("finish", 16)]
    assert image.hidden.shape == (1 + len(tiles), 17, 128)


def test_tiles_without_a_share(encoder, tiled, native):
    image, selection = steps(encoder, tiled(), TokenBudget(12, alpha=1.0))
    assert selection.counts.tolist() == [12, 0, 0, 0, 0]
    assert image.encoded.tolist() == [True, False, False, False, False]
    assert native.made == [("begin", 1), ("finish", 12)]
    assert_right(image, selection, encoder.encode_tiled(tiled()))
    native.made.clear()
    image, selection = steps(encoder, tiled(), TokenBudget(1, alpha=0.0))
    assert (selection.counts[0], image.encoded.sum()) == (
        0,
        2,
    )  # the full image shares out
    assert native.made == [("begin", 1), ("begin", 1), ("finish", 1)]


def test_all_tokens_are_one_graph(encoder, tiled, native):
    for budget in (TokenBudget(1.0), TokenBudget(80), TokenBudget(1.0, allocation="uniform")):
        steps(encoder, tiled(), budget)
    assert native.made == [("encode", 5)] * 3


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_what_each_allocation_needs(encoder, tiled, native, allocation):
    """Without shares nothing says that a tile is not needed; by the overview a tile may have none."""
    image, selection = steps(encoder, tiled(), TokenBudget(1, allocation=allocation))
    needed = 5 if allocation == "joint" else (selection.counts[1:] > 0).sum() + 1
    assert native.sum("begin") == image.encoded.sum() == needed
    assert native.sum("finish") == len(image.ids) == selection.order.size


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_all_rows_before_a_selection_that_needs_them(encoder, tiled, native, allocation):
    begun, _ = steps(encoder, tiled(), TokenBudget(12, alpha=1.0))
    native.made.clear()
    budget = TokenBudget(3, allocation=allocation, selection="cen-div")
    assert not begun.shows(budget)
    assert steps(encoder, tiled(), budget, begun)[0].whole
    assert native.made == [("begin", 4), ("finish", 68)]


def test_what_a_selection_needs_is_said_by_the_table(encoder, tiled, native, monkeypatch):
    monkeypatch.setitem(SELECTIONS, "cls", SELECTIONS["cls"]._replace(needs=("attention", "rows")))
    image, _ = steps(encoder, tiled(), TokenBudget(3))
    assert native.made == [("encode", 5)]
    assert image.whole


def test_what_an_allocation_needs_is_said_by_the_table(encoder, tiled, native, monkeypatch):
    more = ALLOCATIONS["hired"]._replace(needs=policies.Choice("", "").needs)
    monkeypatch.setitem(ALLOCATIONS, "hired", more)
    steps(encoder, tiled(), TokenBudget(3, alpha=1.0))
    assert native.made == [("begin", 5), ("finish", 3)]


def test_a_file_with_several_feature_layers_has_no_steps(tmp_path, encoder, tiled, native, monkeypatch):
    path = rewrite(MMPROJ, tmp_path / "several.gguf", keys={V + "feature_layer": [1, 3]})
    several = _core.VisionModel(str(path), n_threads=1)
    assert (encoder._has_steps, several.has_steps) == (True, False)
    words = r"\[vision\] the file's features come from several layers, so there are no steps; use encode"
    with pytest.raises(InputError, match=words):
        several.begin(np.zeros((1, 3, 56, 56), np.float32), [0])
    with pytest.raises(InputError, match=words):
        several.finish(np.zeros((1, 17, 128), np.float32), np.arange(2, dtype=np.int32))
    monkeypatch.setattr(encoder, "_has_steps", several.has_steps)
    image, _ = steps(encoder, tiled(), TokenBudget(3))
    assert native.made == [("encode", 5)]
    assert image.whole


# Completing


@settings(max_examples=40)
@given(budgets=st.lists(BUDGETS, min_size=2, max_size=5))
def test_nothing_is_computed_twice(encoder, whole, tiled, budgets):
    with pytest.MonkeyPatch.context() as monkeypatch:
        native, image = NativeCalls(monkeypatch), None
        for budget in budgets:
            image, selection = steps(encoder, tiled(), budget, image)
            assert_right(image, selection, whole)
    assert native.sum("begin") + native.sum("encode") == image.encoded.sum()
    assert native.sum("finish") + 16 * native.sum("encode") == len(image.ids)


def test_completed_to_the_end_it_is_the_whole_image(encoder, whole, tiled):
    image, _ = steps(encoder, tiled(), TokenBudget(9))
    full = encoder.encode_tiled(tiled(), known=image)
    assert full.whole
    assert full.hidden.size == 0
    for name in ("ids", "rows", "newline", "attention_first", "attention_last"):
        np.testing.assert_array_equal(getattr(full, name), getattr(whole, name))
    np.testing.assert_array_equal(full.projected, whole.projected)
    assert not image.whole  # the value that was completed is as it was


def test_threads_may_complete_one_image(encoder, whole, tiled):
    begun, _ = steps(encoder, tiled(), TokenBudget(3, alpha=1.0))
    budgets = [TokenBudget(tokens) for tokens in (5, 20, 40, 80)] * 3
    with ThreadPoolExecutor(4) as pool:
        for image, selection in pool.map(lambda b: steps(encoder, tiled(), b, begun), budgets):
            assert_right(image, selection, whole)


# Errors


def test_rows_that_are_not_there(encoder, tiled):
    image = encoder.encode_tiled(tiled(), TokenBudget(8))
    selection = image.select(8)
    words = r"\[vision\] rows of 8 of 8 needed tokens are missing; VisionEncoder.finish makes them"
    with pytest.raises(InputError, match=words):
        image.pack(selection)
    image = encoder.finish(image, selection)
    with pytest.raises(InputError, match=r"\[vision\] rows of 8 of 80 tokens are there, not of all"):
        image.projected  # noqa: B018
    with pytest.raises(InputError, match=r"rows of \d+ of \d+ needed tokens are missing"):
        image.pack()


def test_rows_of_what_is_merged(encoder, whole, tiled):
    image = encoder.encode_tiled(tiled(), TokenBudget(12, allocation="joint"))
    merging = whole.select(12, selection="visionzip")
    assert set(merging.order) < set(merging.sources)
    kept = encoder.finish(image, merging.with_mask(merging.mask))
    lacking = len(merging.sources) - 12
    words = rf"rows of {lacking} of {lacking + 12} needed tokens are missing"
    with pytest.raises(InputError, match=words):
        kept.pack(merging)
    np.testing.assert_array_equal(encoder.finish(kept, merging).pack(merging), whole.pack(merging))


def test_a_selection_by_rows_of_which_some_are_missing(encoder, tiled):
    image = encoder.encode_tiled(tiled(), TokenBudget(8))
    with pytest.raises(InputError, match=r"\[vision\] rows of 0 of 80 tokens are there, not of all"):
        image.select(8, selection="cen-div")


def test_partitions_that_were_not_encoded(encoder, whole, tiled):
    image = encoder.encode_tiled(tiled(), TokenBudget(8, alpha=1.0))
    words = r"\[vision\] partition 1 was not encoded; encoded are \[0\]"
    with pytest.raises(InputError, match=words):
        encoder.finish(image, whole.select(1.0))


@pytest.mark.parametrize("name", ["mm.2.bias", "v.blk.1.attn_q.weight", "v.blk.2.attn_q.weight"])
def test_damaged_weights_are_told(variant, tiled, name):
    damaged = variant(tensors={name: lambda values: np.full_like(values, np.nan)})
    with pytest.raises(NumericError, match="NaN or infinity: the mmproj's weights are damaged"):
        steps(damaged, tiled(), TokenBudget(8))


def test_shapes_and_ids_are_checked(encoder):
    model, hidden = encoder._open(), np.zeros((1, 17, 128), np.float32)
    ids = np.arange(2, dtype=np.int32)
    with pytest.raises(InputError, match=r"\[vision\] 2048 hidden values for 1 partitions of 2176"):
        model.finish(hidden[:, 1:].copy(), ids)
    with pytest.raises(InputError, match=r"\[vision\] id 16; ids ascend from 0 to at most 15"):
        model.finish(hidden, ids + 15)
    with pytest.raises(InputError, match=r"\[vision\] there are no ids; at least one is needed"):
        model.finish(hidden, ids[:0])
    for wrong in (ids[None], "ids", None):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            model.finish(hidden, wrong)
