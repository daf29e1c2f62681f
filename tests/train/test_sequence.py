"""Rows of a picture and conversations about it, as the engine puts them together."""

from __future__ import annotations

import random

import numpy as np
import pytest
from golden_pair import rows_of
from train import sequence
from train.patch_labels import SHAPE
from train.sizes import TILE, TOKENS
from training import SEED, picture, pieces, with_torch

from hired_gguf import TokenBudget, VisionEncoder, _core
from hired_gguf.context.prefill import prefill
from hired_gguf.progress import Timings
from hired_gguf.scenes import make_scene
from hired_gguf.scenes.questions import questions
from hired_gguf.selection.selection import select_with_tiling
from hired_gguf.synthetic.vocabulary import MARK
from models import load_llama


def made(prompts, index=0, first=0):
    """A picture's rows and conversations, and the questions that could be asked."""
    drawn = picture(index)
    found = questions(drawn.scene, random.Random(SEED))
    parts = sequence._sequence(sequence.packing(drawn), first, found, prompts, random.Random(SEED))
    return [np.array(part) for part in parts], found


@pytest.mark.parametrize("index", range(4))
def test_rows_of_a_whole_picture_are_the_engines_and_none_is_dropped(prompts, index):
    drawn = picture(index)
    tiling = sequence.tiling_of(drawn)
    packing = sequence.packing(drawn)
    everything = np.ones((tiling.partitions, TOKENS), bool)
    assert packing == _core.pack_order(everything, tiling, "auto").tolist()
    attention = np.random.default_rng(0).random((tiling.partitions, 2, TOKENS), np.float32)
    assert packing == select_with_tiling(attention, attention, tiling, TokenBudget(1.0)).packing.tolist()
    kept = [row for row in packing if row != sequence.NEWLINE]
    assert len(set(kept)) == len(kept) == sum(tiling.capacities)
    (ids, rows, positions, groups, _), _ = made(prompts, index, first=1000)
    start = len(prompts.prefix)
    assert ids[:start].tolist() == prompts.prefix
    end = start + len(packing)
    expected = [row if row == sequence.NEWLINE else 1000 + row for row in packing]
    assert rows[start:end].tolist() == expected
    assert (np.delete(rows, np.s_[start:end]) == sequence.NO_ROW).all()
    assert not ids[start:end].any()
    assert positions[:end].tolist() == list(range(end))
    assert not groups[:end].any()
    assert groups[end:].all()


def test_answers_are_the_only_targets(prompts):
    (ids, _, _, groups, targets), found = made(prompts)
    answers = {tuple(prompts.answer(question.answer)) for question in found}
    learnt = targets >= 0
    assert not learnt[groups == 0].any()
    np.testing.assert_array_equal(targets[:-1][learnt[:-1]], ids[1:][learnt[:-1]])
    assert (groups[:-1] == groups[1:])[learnt[:-1]].all()
    assert not learnt[-1]
    starts = np.flatnonzero(learnt & ~np.roll(learnt, 1))
    ends = np.flatnonzero(learnt & ~np.roll(learnt, -1)) + 1
    assert len(starts) >= len(set(groups)) - 1 > 3
    colon = prompts.conversation("?", False)[-1]
    for start, end in zip(starts, ends, strict=True):
        assert ids[start] == colon
        assert tuple(targets[start:end]) in answers


def test_every_conversation_begins_where_the_picture_ends(prompts):
    (ids, _, positions, groups, _), _ = made(prompts)
    end = np.count_nonzero(groups == 0)
    for group in range(1, groups.max() + 1):
        inside = groups == group
        np.testing.assert_array_equal(positions[inside], end + np.arange(inside.sum()))
        assert pieces(prompts, ids[inside][:2].tolist()) == [MARK, "<0x0A>"]
        assert ids[inside][-1] == prompts.eos


# PyTorch


def embedded_batch(modules, batch, pixels):
    """Rows of the encoder and tokens, as `stage_language.answer_loss` puts them together."""
    torch = modules.torch
    rows = modules.projector(modules.encoder.features(pixels)).flatten(0, 1)
    table = torch.cat((rows, modules.projector.image_newline[None]))
    at = torch.where(batch.rows == sequence.NEWLINE, len(rows), batch.rows.clamp(min=0))
    tokens = modules.language.token_embd(batch.ids)
    return torch.where((batch.rows == sequence.NO_ROW)[..., None], tokens, table[at])


@with_torch
def test_a_batch_of_conversations_is_what_the_engine_computes_one_by_one(modules, prompts):
    """Order of rows, positions and what sees what: all of it is learnt as it will be used."""
    indices = (1, 2)
    torch, pictures = modules.torch, [picture(index) for index in indices]
    batch = sequence.whole_pictures(pictures, prompts, random.Random(SEED))
    pixels = torch.from_numpy(np.concatenate([drawn.partitions for drawn in pictures]))
    logits = modules.logits(embedded_batch(modules, batch, pixels), batch.positions, batch.hidden.float())
    llama = load_llama(modules.text)
    engine = VisionEncoder(modules.mmproj, n_threads=1)
    worst, compared = 0.0, 0
    for row, index in enumerate(indices):
        packed = engine.encode(make_scene("train", SEED, index, tile=TILE).image).pack()
        end = len(prompts.prefix) + len(packed)
        starts = np.flatnonzero(batch.positions[row].numpy() == end).tolist()
        assert len(starts) > 3
        length = int((batch.positions[row] > 0).sum()) + 1  # what follows is padding
        for start, stop in zip(starts, [*starts[1:], length], strict=True):
            ids = batch.ids[row, start:stop].tolist()
            prefill(llama, [prompts.prefix, rows_of(packed), ids], Timings())
            got = np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(logits.shape[-1],))
            worst, compared = max(worst, np.abs(got - logits[row, stop - 1]).max()), compared + 1
    engine.close()
    llama.close()
    assert compared > 10
    assert worst < 0.025


@with_torch
def test_single_partitions_show_their_own_patches_and_what_they_can_answer(modules, prompts):
    drawn = picture(1)
    (tile, *_) = (i for i in range(1, len(drawn.labels)) if drawn.labels[i, :, SHAPE].any())
    counts = []
    for things in (1, 99):
        batch = sequence.single_partitions([(drawn, 0), (drawn, tile)], prompts, random.Random(0), things)
        for row, partition in enumerate((0, tile)):
            shown = batch.rows[row][batch.rows[row] != sequence.NO_ROW].numpy() - row * TOKENS
            busy = np.flatnonzero(drawn.labels[partition, :, SHAPE])
            assert np.isin(shown, busy).all()
            if things == 99:
                np.testing.assert_array_equal(shown, busy)
            counts.append(len(shown))
            assert (batch.targets[row] >= 0).any()
    assert 0 < counts[0] < counts[2]
    assert batch.targets.shape == batch.ids.shape == batch.positions.shape
    hidden = batch.hidden[:, 0]
    assert (hidden.triu(1) == -np.inf).sum() == len(hidden) * hidden.shape[1] * (hidden.shape[1] - 1) // 2
    assert (hidden.diagonal(dim1=1, dim2=2) == 0).all()
