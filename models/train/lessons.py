"""What the encoder is taught, as losses: what each patch shows, and where CLS looks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hired_gguf.scenes.words import CHARACTERS, LONGEST

from .patch_labels import FIELD, GROUPS, LENGTH, NAMES, UNKNOWN

NOTHING = 0.04  # weight of "nothing here", which is so nearly everywhere
NOT_THIS = 0.5  # of "another character of the text stands here": else a patch is not told from its neighbours
STARTS = np.cumsum([0, *GROUPS.values()])
WORDS = int(STARTS[FIELD + 1])  # classes of what a patch shows by itself


def words(labels: Tensor) -> Tensor:
    """What each patch shows, as a bag of words: labels [B, N, groups] to [B, N, WORDS].

    The sum of a patch's words is 1, if it shows text 2, and 0 if nothing is there.
    """
    found = labels[..., : FIELD + 1].long()
    known = (found > 0) & (found < UNKNOWN)
    text = (found[..., : LENGTH + 1] > 0).any(-1)
    each = (1.0 + text) / known.sum(-1).clamp(min=1)
    where = torch.where(known, found, 0) + torch.as_tensor(STARTS[: FIELD + 1])
    return torch.zeros(*labels.shape[:-1], WORDS).scatter_add_(-1, where, known * each[..., None])


def cls_loss(attention: list[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy of a partition's words, if CLS says those of the patches it looks at; a layer's mean.

    CLS attention [B, N] of each layer; labels [B, N, groups]. To say everything in its proportion,
    CLS must look at all patches with something in them, in every layer. Heads that name the classes from CLS
    itself do not bring that: later layers know them already, or learn them from bare patches.
    Source: attention as pooling of instances, Ilse et al., arXiv 1802.04712.
    """
    bags = words(labels)
    wanted = bags.sum(1)
    wanted = wanted / wanted.sum(-1, keepdim=True).clamp(min=1)
    shown = bags / bags.sum(-1, keepdim=True).clamp(min=1)
    busy = wanted.sum().clamp(min=1) * len(attention)
    named = ((layer[:, None] @ shown)[:, 0].clamp(min=1e-6) for layer in attention)
    return -sum((wanted * said.log()).sum() for said in named) / busy


def weight(name: str) -> float:
    """How much a group counts: what is easy must not drown what is hard."""
    easy = {"length": 0.2, "view": 0.2, "colour": 0.5, "shape": 0.5}
    return easy.get(name, 1.0 if name.startswith(("character", "field")) else 0.6)


def patch_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of every group, summed.

    That a character is not, say, the second of its text is to be learnt where there is text.
    """
    total, text = logits.new_zeros(()), shows_text(labels)
    for i, (start, count) in enumerate(zip(STARTS, GROUPS.values(), strict=False)):
        true = labels[..., i].long()
        nothing = torch.where(text, NOT_THIS, NOTHING) if i < LONGEST else torch.tensor(NOTHING)
        counts = torch.where(true == 0, nothing, 1.0) * (true != UNKNOWN)
        group = logits[..., start : start + count].flatten(0, 1).float()
        loss = F.cross_entropy(group, true.flatten(), reduction="none", ignore_index=UNKNOWN)
        total = total + weight(NAMES[i]) * (loss * counts.flatten()).sum() / counts.sum()
    return total


def shows_text(labels: Tensor) -> Tensor:
    """Which patches [...] show characters that are known."""
    highest = labels[..., :LONGEST].amax(-1)
    return (highest > 0) & (highest < UNKNOWN)


def character_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of which characters a patch shows at all, for patches with text: what is learnt first."""
    text = shows_text(labels)
    there = F.one_hot(labels[text][:, :LONGEST].long(), len(CHARACTERS) + 1).amax(1)[:, 1:]
    return F.binary_cross_entropy_with_logits(logits[text].float(), there.float()) * len(CHARACTERS)


def accuracy(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of right classes among patches that have one; of patches with text, right in all of it."""
    out: dict[str, float] = {}
    text, right = shows_text(labels), torch.ones(labels.shape[:-1], dtype=torch.bool)
    for i, name in enumerate(NAMES):
        same = logits[..., STARTS[i] : STARTS[i + 1]].argmax(-1) == labels[..., i]
        there = (labels[..., i] > 0) & (labels[..., i] < UNKNOWN)
        if i < LONGEST:
            right &= same
        elif there.any():
            out[name] = float(same[there].float().mean())
    return {"text": float(right[text].float().mean()), **out}
