"""The encoder's second stage, CLIP's part: patches learn to say what is there, and CLS to look at it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import checkpoint, workers
from .alphabet import Page
from .encoder import Encoder, Teacher
from .lessons import accuracy, character_loss, cls_loss, patch_loss
from .render import Picture
from .schedule import Plan
from .sizes import VISION
from .stage_letters import learn_letters

SPELLED, CLS = 3.0, 1.0  # weights of lessons, beside that of the patches
WORTH_COMPILING = 200  # steps
CROWDED_PLAIN = 0.45, 0.25  # parts of a batch; the rest are pages


def train_encoder(
    plan: Plan, crowded: list[Picture], plain: list[Picture], pages: list[Page], path: Path
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
    scenes = [[(p, j) for p in pictures for j in range(len(p.partitions))] for pictures in (crowded, plain)]
    began = time.monotonic()

    def look(pixels: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        states, attention = encoder.states(pixels)
        patches = states[encoder.used][:, 1:]
        return teacher.patches(patches), teacher.characters(patches), attention

    if stage.steps - first > WORTH_COMPILING:
        look = torch.compile(look)
    for step in range(first, stage.steps):
        rng = np.random.default_rng([plan.seed, step])
        chosen = [
            some[i]
            for some, part in zip(scenes, CROWDED_PLAIN, strict=True)
            for i in rng.integers(0, len(some), round(part * stage.batch))
        ]
        lesson = workers.part([(picture.partitions[j], picture.labels[j]) for picture, j in chosen])
        wide = len(lesson)
        lesson += workers.part([pages[i] for i in rng.integers(0, len(pages), stage.batch - len(chosen))])
        pixels = torch.from_numpy(np.stack([pixels for pixels, _ in lesson]))
        labels = torch.from_numpy(np.stack([labels for _, labels in lesson]))
        with torch.autocast("cpu", torch.bfloat16):
            logits, spelled, attention = look(pixels)
        cls = cls_loss([layer[:wide] for layer in attention], labels[:wide])
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
