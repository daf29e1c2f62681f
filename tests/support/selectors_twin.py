"""The NumPy twin of cpp/core/selectors, and of the allocations globalcom2 and joint.

Written from the formulas in float64, and meant to be obvious, not fast: for every pick all candidates are
looked at again. The core adds up in float32, so of candidates whose scores are as good as equal the twin
takes one that the core kept: the two keep the same only if each of the core's picks was a best one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import reference

TIE = 1e-4  # of the highest score of all


@dataclass
class Seen:
    """What is known of n candidates."""

    attention: np.ndarray  # [n]
    rows: np.ndarray  # [n, D]
    part: np.ndarray  # [n], their partitions
    question: np.ndarray  # [words, D]


#: Each takes what is known of the candidates, how many stay, and which of them the core kept.
SELECTORS = {}


def selector(name):
    """Enter a function in the table."""

    def enter(function):
        SELECTORS[name] = function
        return function

    return enter


def select(t, first, last, budget, *, alpha, allocation, selection, rows, question, core=None):
    """(mask [P, N], merged [P, N]); ``core`` is the core's mask, None to take ties by the lower index."""
    allowed = t.without_padding()
    attention = last.astype(np.float64).sum(1)
    mask, merged = np.zeros_like(allowed), np.full(allowed.shape, -1)
    for ids, keep in pools(t, first, last, budget, alpha=alpha, allocation=allocation):
        if keep in (0, len(ids)):
            mask.ravel()[ids[:keep]] = True
            continue
        looks = rows.reshape(mask.size, -1)[ids].astype(np.float64)
        seen = Seen(attention.ravel()[ids], looks, ids // t.tokens, question)
        likely = None if core is None else np.flatnonzero(core.ravel()[ids])
        kept, into = SELECTORS[selection](seen, keep, likely)
        mask.ravel()[ids[kept]] = True
        for token, target in into.items():
            merged.ravel()[ids[token]] = ids[target]
    return mask, merged


def pools(t, first, last, budget, *, alpha, allocation):
    """Ids of candidates, and how many of them stay."""
    allowed = t.without_padding()
    everywhere = np.flatnonzero(allowed)
    if allocation == "joint":
        return [(everywhere, min(budget, len(everywhere)))]
    if allocation == "globalcom2":
        counts = globalcom2(t, last[0].astype(np.float64), budget)
    else:
        counts = reference.allocate(t, first, budget, alpha, allocation)
    return [
        (np.flatnonzero(row) + p * t.tokens, count)
        for p, (row, count) in enumerate(zip(allowed, counts, strict=True))
    ]


def globalcom2(t, attention, budget):
    """Patches, and for a tile its patches times 1 + softmax(logits of its region / 10) - 1 / n."""
    room = t.without_padding().sum(1)
    if t.partitions == 1:
        return [min(budget, t.tokens)]
    logits = np.log(np.maximum(attention, 1e-30)).mean(0)
    grid = (logits - logits.mean()).reshape(t.side, t.side)
    cells = t.fitted[0] * t.fitted[1]
    mass = (reference.area_counts(t, 0) @ grid @ reference.area_counts(t, 1).T).ravel() / cells / 10
    share = np.exp(mass - mass.max())
    weights = np.append(room[:1], room[1:] * (1 + share / share.sum() - 1 / mass.size))
    return reference.share_out(budget, (weights * 2**40).astype(object), room)


# The selectors


@selector("cls")
def cls(seen, keep, likely):
    return greedy(keep, lambda _: seen.attention, likely), {}


@selector("scope")
def scope(seen, keep, likely):
    alike = cosines(seen.rows, seen.part)

    def gain(kept):
        covered = alike[kept].max(0, initial=0)
        return np.maximum(0, alike - covered).sum(1) * seen.attention

    return greedy(keep, gain, likely), {}


@selector("cen-div")
def cen_div(seen, keep, likely):
    apart = np.where(together(seen.part), 1 - cosines(seen.rows - seen.rows.mean(0), seen.part), 2)
    worth = distinctness(seen.rows)
    return greedy(keep, lambda kept: worth * apart[kept].min(0, initial=2), likely), {}


@selector("cen-dpp")
def cen_dpp(seen, keep, likely):
    quality = to_unit_range(seen.attention) * distinctness(seen.rows)
    alike = cosines(seen.rows - seen.rows.mean(0), seen.part)

    def gain(kept):
        """What is left of a candidate's variance; where that is nothing for all, their quality."""
        basis = []
        for i in kept:
            if quality[i] > 0 and left_over(alike, basis)[i] > 1e-3:
                basis.append(i)
        left = left_over(alike, basis)
        found = np.where(left > 1e-3, quality**2 * left, 0)
        open_ = np.setdiff1d(np.arange(len(found)), kept)
        return found if found[open_].any() else quality

    return greedy(keep, gain, likely), {}


def left_over(alike, basis):
    """The candidates' variances when those of the basis are given."""
    if not basis:
        return np.diag(alike)
    block = alike[np.ix_(basis, basis)]
    return np.diag(alike) - np.einsum("ij,ij->j", alike[basis], np.linalg.solve(block, alike[basis]))


@selector("visionzip")
def visionzip(seen, keep, likely):
    targets = (10 * keep + 32) // 64
    dominant = greedy(keep - targets, lambda _: seen.attention, None)
    rest = [i for i in range(len(seen.attention)) if i not in dominant]
    if not targets:
        return dominant, {}
    contextual = rest[:: len(rest) // targets][:targets]
    alike = cosines(seen.rows, seen.part)
    into = {}
    for i in rest:
        near = [target for target in contextual if seen.part[target] == seen.part[i] and i not in contextual]
        if near:
            best = max(alike[i, target] for target in near)
            into[i] = next(target for target in near if alike[i, target] >= best - 1e-6)
    return dominant + contextual, into


@selector("mmtok")
def mmtok(seen, keep, likely):
    words = softmax(unit(seen.question) @ unit(seen.rows).T / 0.02) / max(1, len(seen.question))
    alike = np.where(together(seen.part), cosines(seen.rows, seen.part), -np.inf)
    both = np.concatenate([words, 0.5 * softmax(alike / 0.2) / len(alike)])

    def gain(kept):
        return np.maximum(0, both - both[:, kept].max(1, initial=0)[:, None]).sum(0)

    return greedy(keep, gain, likely), {}


# What they are made of


def greedy(keep, scores, likely):
    """One after another: the highest score given those before; of equal ones a likely one, else the first."""
    kept, tie = [], None
    for _ in range(keep):
        now = np.array(scores(kept), np.float64)
        tie = TIE * np.abs(now).max() if tie is None else tie
        now[kept] = -np.inf
        best = np.flatnonzero(now >= now.max() - (1e-12 if likely is None else tie))
        also = [] if likely is None else np.intersect1d(best, likely)
        kept.append(int(also[np.argmax(now[also])] if len(also) else best[0]))
    return kept


def unit(rows):
    rows = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-6)


def cosines(rows, part):
    """Those of the same partition; tokens of different ones are not compared."""
    return np.where(together(part), unit(rows) @ unit(rows).T, 0)


def together(part):
    return part[:, None] == part


def distinctness(rows):
    alike = unit(rows) @ unit(rows).T
    np.fill_diagonal(alike, 0)
    return to_unit_range(-alike.sum(0))


def to_unit_range(numbers):
    low, high = numbers.min(), numbers.max()
    equal = high - low <= 1e-6 * max(abs(low), abs(high))
    return np.ones_like(numbers) if equal else (numbers - low) / (high - low)


def softmax(numbers):
    raised = np.exp(numbers - numbers.max(1, keepdims=True, initial=-np.inf))
    return raised / raised.sum(1, keepdims=True)
