"""A picture's encoding is kept as far as it went, and another budget pays for the rest alone."""

from __future__ import annotations

import numpy as np
import pytest
from contexts import SEEN, ask
from golden_pair import image, photo, user
from native_calls import NativeCalls

from hired_gguf import HiREDChatHandler, TokenBudget
from hired_gguf.context.run import Run
from hired_gguf.context.visual_rows import CachedEncoder, visual_rows
from hired_gguf.images.load import load_image
from hired_gguf.selection.policies import ALLOCATIONS
from hired_gguf.selection.selection import Selection
from hired_gguf.vision.cache import EncodingCache
from hired_gguf.vision.encoding import EncodedImage, TiledPicture

HALF = TokenBudget(0.5)


@pytest.fixture
def native(monkeypatch):
    return NativeCalls(monkeypatch)


@pytest.fixture
def new_handler(tiny):
    """Makes handlers at a budget of 0.2."""
    made = []

    def make(**options):
        made.append(HiREDChatHandler(tiny[1], **{"budget": 0.2, "n_threads": 1, **options}))
        return made[-1]

    yield make
    for handler in made:
        handler.close()


def counts(handler):
    """What the last call made anew, and what it found."""
    return handler.last_run.encoded_images, handler.last_run.reused_encodings


def test_another_budget_costs_its_rows_alone(new_handler, llama, native):
    handler = new_handler()
    ask(llama, SEEN, handler)
    encoded = native.sum("begin")
    assert counts(handler) == (1, 0)
    native.made.clear()
    ask(llama, SEEN, handler)
    assert native.made == []  # the same budget: nothing at all
    ask(llama, SEEN, handler, budget=0.1)
    assert native.made == []  # fewer rows of the same
    assert counts(handler) == (0, 1)
    ask(llama, SEEN, handler, budget=0.3)
    assert native.made == [("finish", 8)]
    assert counts(handler) == (0, 1)
    assert handler.last_run.timings.encode_s > 0
    ask(llama, SEEN, handler, budget=1.0)
    assert native.sum("finish") + 16 == 80
    assert native.sum("begin") == 5 - encoded


def test_a_tile_that_gets_a_share_later(new_handler, llama, native):
    heard = []
    handler = new_handler(on_progress=lambda *step: heard.append(step))
    ask(llama, SEEN, handler, budget=10, alpha=1.0)
    assert native.made == [("begin", 1), ("finish", 10)]
    native.made.clear()
    found = ask(llama, SEEN, handler, budget=HALF)
    assert native.made == [("begin", 4), ("finish", 30)]
    assert counts(handler) == (1, 0)
    assert [step for step in heard if step[0] == "encode"] == [("encode", 0, 1)] * 2
    fresh = ask(llama, SEEN, new_handler(), budget=HALF)
    assert found[0] == fresh[0]


def test_answers_do_not_depend_on_the_budgets_before(new_handler, new_llama):
    budgets = [1.0, 0.2, 0.5, 7, 0.1, 1.0]
    right = [ask(new_llama(), SEEN, new_handler(), budget=budget) for budget in budgets]
    for order in (range(6), (5, 3, 4, 1, 2, 0), (3, 2, 4, 0, 1, 5)):
        handler = new_handler()
        for i in order:
            text, logits = ask(new_llama(), SEEN, handler, budget=budgets[i])
            assert text == right[i][0]
            np.testing.assert_array_equal(logits, right[i][1])


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("selections", ["cen-div cls", "cls cen-div cls", "visionzip cls", "cls visionzip"])
@pytest.mark.parametrize("in_files", [False, True])
def test_rows_through_the_cache_are_those_of_encode(encoder, tmp_path, allocation, selections, in_files):
    """Whatever was kept before: a merged row needs rows that do not stay, by attention or by rows."""
    cache = EncodingCache(0, tmp_path) if in_files else EncodingCache()
    kept = CachedEncoder(lambda: encoder, cache, "ours")
    right = encoder.encode(photo(), features=False)
    picture = TiledPicture.of(load_image(photo()), encoder.info)
    for tokens, selection in zip((9, 14, 30), selections.split(), strict=False):
        budget = TokenBudget(tokens, allocation=allocation, selection=selection)
        run = Run()
        (rows,) = visual_rows(kept, [picture], budget, EncodedImage.select_with, run=run, on_progress=None)
        chosen = right.select(budget)
        np.testing.assert_array_equal(rows.rows, right.pack(chosen))
        assert rows.key.endswith(chosen.digest)
        assert run.selections[0].digest == chosen.digest
        assert run.encoded_images + run.reused_encodings == 1


def test_a_question_is_not_kept_with_the_picture(encoder):
    """Another question about it chooses anew."""
    kept = CachedEncoder(lambda: encoder, cache := EncodingCache(), "ours")
    right = encoder.encode(photo(), features=False)
    budget = TokenBudget(9, selection="mmtok")
    for words in (right.projected[0, :2], right.projected[3, 5:8]):
        picture = TiledPicture(load_image(photo()), right.tiling, words)
        (rows,) = visual_rows(kept, [picture], budget, EncodedImage.select_with, run=Run(), on_progress=None)
        np.testing.assert_array_equal(rows.rows, right.pack(right.asked(words).select(budget)))
        assert all(image.question is None for image in cache._images.values())


def test_a_selector_of_ones_own_sees_everything(new_handler, llama, native):
    seen = []

    def selector(image: EncodedImage, config: TokenBudget) -> Selection:
        seen.append(image.projected.shape)
        return image.select_with(config)

    handler = new_handler()
    ask(llama, SEEN, handler, selector=selector)
    assert native.made == [("encode", 5)]
    ask(llama, SEEN, handler, budget=0.4)
    assert len(native.made) == 1
    ask(llama, SEEN, other := new_handler(), budget=3)
    ask(llama, SEEN, other, budget=3, selector=selector)
    assert seen == [(5, 16, 128)] * 2


@pytest.mark.parametrize("at", [0, 1, 2])
def test_ctrl_c_keeps_the_steps_before(new_handler, llama, native, at):
    """It comes before the full image, before the tiles, before the rows that stay."""

    def interrupt(number):
        if number == at:
            raise KeyboardInterrupt

    handler = new_handler()
    native.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        ask(llama, SEEN, handler)
    assert len(handler._cache) == (at == 2)
    native.before = lambda number: None
    native.made.clear()
    found = ask(llama, SEEN, handler)
    assert [name for name, _ in native.made] == (["finish"] if at == 2 else ["begin", "begin", "finish"])
    assert counts(handler) == ((0, 1) if at == 2 else (1, 0))
    assert found[0] == ask(llama, SEEN, new_handler())[0]


@pytest.mark.parametrize("at", [0, 1])
def test_an_encoder_that_is_closed_between_the_steps(new_handler, llama, native, at):
    """After the full image, and after the tiles."""
    handler = new_handler()

    def close(number):
        if number == at:
            handler.close()

    right = ask(llama, SEEN, new_handler())
    native.made.clear()
    native.before = close
    closed = handler.load()
    assert ask(llama, SEEN, handler)[0] == right[0]
    assert handler.load() is not closed


def test_a_file_is_completed_by_another_process(new_handler, llama, native, tmp_path):
    ask(llama, SEEN, new_handler(cache_dir=tmp_path))
    (file,) = tmp_path.iterdir()
    size = file.stat().st_size
    native.made.clear()
    later = new_handler(cache_dir=tmp_path)
    found = ask(llama, SEEN, later, budget=0.3)
    assert native.made == [("finish", 8)]
    assert counts(later) == (0, 1)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.stat().st_size == size + 8 * (4 * 128 + 4)
    assert found[0] == ask(llama, SEEN, new_handler(), budget=0.3)[0]
    native.made.clear()
    unloaded = new_handler(cache_dir=tmp_path)
    ask(llama, SEEN, unloaded, budget=0.3)
    assert native.made == []
    assert unloaded._encoder is None


def test_several_pictures_each_at_its_own_state(new_handler, llama, native):
    both = [user(image(photo()), image(photo("rocket")), "Compare.")]
    handler = new_handler()
    ask(llama, SEEN, handler)
    native.made.clear()
    found = ask(llama, both, handler, budget=0.3)
    assert native.made[0] == ("finish", 8)
    assert [name for name, _ in native.made[1:]] == ["begin", "begin", "finish"]
    assert counts(handler) == (1, 1)
    assert found[0] == ask(llama, both, new_handler(), budget=0.3)[0]
