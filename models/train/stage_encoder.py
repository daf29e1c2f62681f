"""Stage 1, CLIP's part: the encoder learns to say what is where, and CLS, layer by layer, what there is."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hired_gguf.scenes.words import CHARACTERS, LONGEST

from . import checkpoint
from .alphabet import UNKNOWN
from .config import VISION, Plan, Stage
from .encoder import CLASSES, Encoder, Teacher
from .labels import FULL_VIEW, GROUPS, LENGTH, NAMES, VIEW
from .render import Picture

NOTHING = 0.04  # weight of "nothing here", which is so nearly everywhere
LETTER_LAYERS = 3
Page = tuple[NDArray[np.uint8], NDArray[np.uint8]]
STARTS = np.cumsum([0, *GROUPS.values()])


def one_hot(labels: Tensor) -> Tensor:
    """Which classes other than "nothing" occur in each partition: [B, N, groups] to [B, CLASSES]."""
    offset = torch.as_tensor(STARTS[:-1])
    labels = torch.where(labels == UNKNOWN, 0, labels)
    present = torch.zeros(len(labels), CLASSES)
    present.scatter_(1, (labels.long() + offset).flatten(1), 1.0)
    present[:, offset] = 0
    return present


def patch_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of every group, summed."""
    total = logits.new_zeros(())
    for i, (start, count) in enumerate(zip(STARTS, GROUPS.values(), strict=False)):
        weight = torch.ones(count)
        weight[0] = NOTHING
        group = logits[..., start : start + count].flatten(0, 1).float()
        total = total + F.cross_entropy(group, labels[..., i].flatten().long(), weight, ignore_index=UNKNOWN)
    return total


def character_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of which characters a patch shows at all, for patches with text: what is learnt first."""
    highest = labels[..., :LONGEST].amax(-1)
    text = (highest > 0) & (highest < UNKNOWN)
    there = F.one_hot(labels[text][:, :LONGEST].long(), len(CHARACTERS) + 1).amax(1)[:, 1:]
    return F.binary_cross_entropy_with_logits(logits[text].float(), there.float()) * len(CHARACTERS)


def learn_letters(encoder: Encoder, teacher: Teacher, pages: list[Page], stage: Stage) -> None:
    """Patch embedding and the first layers' feed-forward parts, on single patches with text."""
    side = VISION.patch_size
    pixels, labels = (np.stack(part) for part in zip(*pages, strict=True))
    count = pixels.shape[1] // side
    patches = (
        pixels.reshape(len(pages), count, side, count, side, 3).swapaxes(2, 3).reshape(-1, side, side, 3)
    )
    labels = labels.reshape(len(patches), -1)
    highest = labels[:, :LONGEST].max(1)
    there = (highest > 0) & (highest < UNKNOWN)
    patches, labels = patches[there], torch.from_numpy(labels[there])
    opt = checkpoint.optimizer([*encoder.parameters(), *teacher.parameters()], stage)
    for step in range(stage.steps):
        chosen = torch.randint(0, len(patches), (stage.batch,))
        with torch.autocast("cpu", torch.bfloat16):
            spelled = teacher.characters(encoder.alone(torch.from_numpy(patches[chosen]), LETTER_LAYERS))
        loss = character_loss(spelled, labels[chosen])
        checkpoint.step(opt, loss, checkpoint.rate(stage, step))
        if step % 100 == 0:
            print(f"letters {step} spelled {loss.item():.3f}", flush=True)


def accuracy(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of right classes among patches that have one; characters taken together."""
    out: dict[str, list[float]] = {}
    for i, name in enumerate(NAMES):
        there = (labels[..., i] > 0) & (labels[..., i] < UNKNOWN)
        if there.any():
            right = logits[..., STARTS[i] : STARTS[i + 1]].argmax(-1)[there] == labels[..., i][there]
            out.setdefault("characters" if name.startswith("character") else name, []).append(
                right.float().mean()
            )
    return {name: float(np.mean(values)) for name, values in out.items()}


def train_encoder(
    plan: Plan, pictures: list[Picture], pages: list[Page], path: Path
) -> tuple[Encoder, Teacher]:
    """Train, or go on, or only load what is finished."""
    torch.manual_seed(plan.seed)
    stage, encoder, teacher = plan.encoder, Encoder(VISION), Teacher(VISION)
    opt = checkpoint.optimizer([*encoder.parameters(), *teacher.parameters()], stage)
    kept, first = checkpoint.load(path), 0
    if kept:
        encoder.load_state_dict(kept["encoder"])
        teacher.load_state_dict(kept["teacher"])
        opt.load_state_dict(kept["optimizer"])
        first = kept["step"]
    else:
        learn_letters(encoder, teacher, pages, plan.letters)
    where = [(i, j) for i, picture in enumerate(pictures) for j in range(len(picture.partitions))]
    began, scenes = time.monotonic(), stage.batch * 3 // 4
    for step in range(first, stage.steps):
        rng = np.random.default_rng([plan.seed, step])
        lesson = [(pictures[i].partitions[j], pictures[i].labels[j]) for i, j in rng.choice(where, scenes)]
        lesson += [pages[i] for i in rng.integers(0, len(pages), stage.batch - scenes)]
        pixels = torch.from_numpy(np.stack([pixels for pixels, _ in lesson]))
        labels = torch.from_numpy(np.stack([labels for _, labels in lesson]))
        blurred = (labels[..., VIEW] == FULL_VIEW)[..., None] & (labels[..., : LENGTH + 1] > 0)
        labels[..., : LENGTH + 1][blurred] = UNKNOWN  # too small to read: nothing to learn but guessing
        with torch.autocast("cpu", torch.bfloat16):
            states = encoder.states(pixels)
            logits = teacher.patches(states[encoder.used][:, 1:])
            spelled = teacher.characters(states[encoder.used][:, 1:])
            whole = teacher.whole(states)
        present = one_hot(labels[:scenes])
        cls = sum(F.binary_cross_entropy_with_logits(w[:scenes].float(), present) for w in whole)
        dense = patch_loss(logits, labels) + character_loss(spelled, labels)
        checkpoint.step(opt, dense + 10 * cls, checkpoint.rate(stage, step))
        if step % 50 == 0:
            seen = accuracy(logits.detach()[:scenes], labels[:scenes])
            seen |= {
                "pages": accuracy(logits.detach()[scenes:], labels[scenes:])["characters"],
                "spelled": character_loss(spelled, labels).item(),
            }
            facts = " ".join(f"{k} {v:.2f}" for k, v in seen.items())
            print(
                f"encoder {step} {time.monotonic() - began:.0f} s dense {dense:.3f} cls {cls:.3f} {facts}",
                flush=True,
            )
        if (step + 1) % 250 == 0 or step + 1 == stage.steps:
            checkpoint.save(
                path,
                encoder=encoder.state_dict(),
                teacher=teacher.state_dict(),
                optimizer=opt.state_dict(),
                step=step + 1,
            )
    return encoder, teacher
