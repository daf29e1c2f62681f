"""The encoder's first stage: letters, on single patches."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from . import checkpoint, workers
from .alphabet import Page
from .encoder import Encoder, Teacher
from .lessons import character_loss, shows_text
from .schedule import Stage
from .sizes import SIDE, TOKENS, VISION

LETTER_LAYERS = 3


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
            spelled, found = teacher.characters(features), teacher.places(features).float()
        loss = character_loss(spelled, known[chosen])
        place = F.cross_entropy(found[:, 0], places % SIDE) + F.cross_entropy(found[:, 1], places // SIDE)
        checkpoint.step(opt, loss + place, checkpoint.rate(stage, step))
        if step % 100 == 0:
            workers.say(f"letters {step} spelled {loss.item():.3f} place {float(place):.3f}")
