"""Stage 1, CLIP's part: the encoder learns to say what is where, and CLS, layer by layer, what there is."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hired_gguf.scenes.words import CHARACTERS, LONGEST

from . import checkpoint, workers
from .alphabet import Page
from .config import SIDE, TOKENS, VISION, Plan, Stage
from .encoder import CLASSES, Encoder, Teacher
from .labels import COLUMN, GROUPS, NAMES, ROW, UNKNOWN
from .render import Picture

NOTHING = 0.04  # weight of "nothing here", which is so nearly everywhere
NOT_THIS = 0.5  # of "another character of the text stands here": else a patch is not told from its neighbours
SPELLED, CLS = 3.0, 2.0  # weights of lessons, beside those of `weight`
LETTER_LAYERS = 3
WORTH_COMPILING = 200  # steps
STARTS = np.cumsum([0, *GROUPS.values()])


def one_hot(labels: Tensor) -> Tensor:
    """Which classes other than "nothing" occur in each partition: [B, N, groups] to [B, CLASSES]."""
    offset = torch.as_tensor(STARTS[:-1])
    labels = torch.where(labels == UNKNOWN, 0, labels)
    present = torch.zeros(len(labels), CLASSES)
    present.scatter_(1, (labels.long() + offset).flatten(1), 1.0)
    present[:, offset] = 0
    return present


def weight(name: str) -> float:
    """How much a group counts: what is easy must not drown what is hard."""
    easy = {"length": 0.2, "view": 0.2, "colour": 0.5, "shape": 0.5, "column": 0.3, "row": 0.3}
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


def learn_letters(encoder: Encoder, teacher: Teacher, pages: list[Page], stage: Stage) -> None:
    """Patch embedding and the first layers' feed-forward parts: what a single patch says, and where it is.

    Without the second, letters drown the places, and no patch finds its neighbours.
    """
    side = VISION.patch_size
    pixels, labels = (np.stack(part) for part in zip(*pages, strict=True))
    count = pixels.shape[1] // side
    patches = (
        pixels.reshape(len(pages), count, side, count, side, 3).swapaxes(2, 3).reshape(-1, side, side, 3)
    )
    known = torch.from_numpy(labels.reshape(len(patches), -1))
    there = shows_text(known)
    patches, known = patches[there.numpy()], known[there]
    opt = checkpoint.optimizer([*encoder.parameters(), *teacher.parameters()], stage)
    for step in range(stage.steps):
        chosen, places = (workers.part(torch.randint(0, n, (stage.batch,))) for n in (len(patches), TOKENS))
        with torch.autocast("cpu", torch.bfloat16):
            features = encoder.alone(torch.from_numpy(patches[chosen]), places, LETTER_LAYERS)
            spelled, classes = teacher.characters(features), teacher.patches(features)
        loss = character_loss(spelled, known[chosen])
        place = sum(
            F.cross_entropy(classes[:, STARTS[i] : STARTS[i + 1]].float(), true + 1)
            for i, true in ((COLUMN, places % SIDE), (ROW, places // SIDE))
        )
        checkpoint.step(opt, loss + place, checkpoint.rate(stage, step))
        if step % 100 == 0:
            workers.say(f"letters {step} spelled {loss.item():.3f} place {float(place):.3f}")


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
    began, scenes = time.monotonic(), stage.batch * 2 // 3

    def look(pixels: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        states = encoder.states(pixels)
        patches = states[encoder.used][:, 1:]
        return teacher.patches(patches), teacher.characters(patches), teacher.whole(states)

    if stage.steps - first > WORTH_COMPILING:
        look = torch.compile(look)
    for step in range(first, stage.steps):
        rng = np.random.default_rng([plan.seed, step])
        lesson = [(pictures[i].partitions[j], pictures[i].labels[j]) for i, j in rng.choice(where, scenes)]
        lesson = workers.part(lesson)
        wide = len(lesson)
        lesson += workers.part([pages[i] for i in rng.integers(0, len(pages), stage.batch - scenes)])
        pixels = torch.from_numpy(np.stack([pixels for pixels, _ in lesson]))
        labels = torch.from_numpy(np.stack([labels for _, labels in lesson]))
        with torch.autocast("cpu", torch.bfloat16):
            logits, spelled, whole = look(pixels)
        present = one_hot(labels[:wide])
        cls = sum(F.binary_cross_entropy_with_logits(w[:wide].float(), present) for w in whole)
        dense = patch_loss(logits, labels) + SPELLED * character_loss(spelled, labels)
        checkpoint.step(opt, dense + CLS * cls, checkpoint.rate(stage, step))
        if step % 50 == 0:
            seen = accuracy(logits.detach()[:wide], labels[:wide])
            seen |= {
                "pages": accuracy(logits.detach()[wide:], labels[wide:])["text"],
                "spelled": character_loss(spelled, labels).item(),
            }
            facts = " ".join(f"{k} {v:.2f}" for k, v in seen.items())
            workers.say(
                f"encoder {step} {time.monotonic() - began:.0f} s dense {dense:.3f} cls {cls:.3f} {facts}"
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
