"""What the encoder is taught (models/train/lessons.py), against sums written out one by one."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train': pip install '.[train]'")

from train import lessons  # noqa: E402
from train.encoder import cls_attention  # noqa: E402
from train.patch_labels import COLOUR, FIELD, GROUPS, LENGTH, SHAPE, UNKNOWN  # noqa: E402

PATCHES = 12


def patch(**classes):
    """One patch's labels."""
    out = np.zeros(len(GROUPS), np.uint8)
    for name, value in classes.items():
        out[{"first": 0, "length": LENGTH, "colour": COLOUR, "shape": SHAPE, "field": FIELD}[name]] = value
    return out


@pytest.fixture
def labels():
    """Two partitions: one with a figure and a sign's character, one with nothing."""
    out = np.zeros((2, PATCHES, len(GROUPS)), np.uint8)
    out[0, 3] = patch(colour=2, shape=5)
    out[0, 7] = patch(first=9, length=2, colour=4, shape=1)
    out[0, 8] = patch(first=UNKNOWN, length=UNKNOWN, colour=4, shape=1)
    return torch.from_numpy(out)


def at(group, value):
    return int(lessons.STARTS[group]) + value


def test_a_patch_is_a_bag_of_words_and_text_counts_twice(labels):
    got = lessons.words(labels)
    assert got.shape == (2, PATCHES, lessons.WORDS)
    assert got[0].sum(-1).nonzero().flatten().tolist() == [3, 7, 8]
    assert got[0].sum(-1)[[3, 7, 8]].tolist() == [1, 2, 2]
    words = {at(COLOUR, 2): 0.5, at(SHAPE, 5): 0.5}
    assert {i: float(got[0, 3, i]) for i in got[0, 3].nonzero().flatten().tolist()} == words
    words = {at(0, 9): 0.5, at(LENGTH, 2): 0.5, at(COLOUR, 4): 0.5, at(SHAPE, 1): 0.5}
    assert {i: float(got[0, 7, i]) for i in got[0, 7].nonzero().flatten().tolist()} == words
    words = {at(COLOUR, 4): 1, at(SHAPE, 1): 1}  # what is not known is not said
    assert {i: float(got[0, 8, i]) for i in got[0, 8].nonzero().flatten().tolist()} == words
    assert not got[1].any()


def test_the_loss_of_cls_is_the_cross_entropy_of_the_words_it_looks_at(labels):
    torch.manual_seed(0)
    looks = [torch.rand(2, PATCHES).softmax(-1) * 0.9 for _ in range(3)]
    bags = lessons.words(labels)[0].numpy()
    wanted = bags.sum(0) / bags.sum()
    expected = []
    for look in looks:
        said = sum(float(a) * bag / max(1, bag.sum()) for a, bag in zip(look[0].numpy(), bags, strict=True))
        expected.append(-sum(w * np.log(s) for w, s in zip(wanted, said, strict=True) if w))
    assert float(lessons.cls_loss(looks, labels)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_cls_does_best_where_it_looks_at_all_things_as_they_count(labels):
    share = lessons.words(labels).sum(-1)
    best = share / share.sum(-1, keepdim=True).clamp(min=1)
    losses = [float(lessons.cls_loss([look], labels)) for look in (best, best.roll(1, 1), best * 0.8)]
    one = torch.zeros_like(best)
    one[:, 7] = 1
    losses.append(float(lessons.cls_loss([one], labels)))
    assert losses[0] < min(losses[1:])
    bags = lessons.words(labels)[0].sum(0)
    wanted = bags[bags > 0] / bags.sum()
    assert losses[0] == pytest.approx(float(-(wanted * wanted.log()).sum()), rel=1e-5)


def test_pictures_with_nothing_in_them_teach_cls_nothing(labels):
    look = torch.full((1, PATCHES), 1 / PATCHES, requires_grad=True)
    loss = lessons.cls_loss([look], labels[1:])
    loss.backward()
    assert loss.item() == 0
    assert not look.grad.any()


def test_attention_of_cls_is_a_row_of_the_whole():
    torch.manual_seed(0)
    q, k = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 5, 8)
    whole = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1)
    torch.testing.assert_close(cls_attention(q, k), whole[:, :, 0, 1:])


def test_another_character_counts_only_where_there_is_text():
    """The weights of `patch_loss`, one patch after another."""
    torch.manual_seed(0)
    shown = np.stack([patch(), patch(first=3, length=1, colour=2, shape=1), patch(colour=2, shape=4)])
    targets = torch.from_numpy(shown[None])
    logits = torch.randn(1, 3, int(lessons.STARTS[-1]))
    total = 0.0
    for i, (name, count) in enumerate(GROUPS.items()):
        start = int(lessons.STARTS[i])
        errors = -logits[0, :, start : start + count].log_softmax(-1)
        weights = [1.0 if one[i] else (0.5 if i < LENGTH and one[0] else 0.04) for one in shown]
        sums = sum(w * float(e[int(one[i])]) for w, e, one in zip(weights, errors, shown, strict=True))
        total += lessons.weight(name) * sums / sum(weights)
    assert float(lessons.patch_loss(logits, targets)) == pytest.approx(total, rel=1e-4)
