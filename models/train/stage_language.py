"""Stages 2 to 4: the language model learns the job on perfect vision, then on the encoder's.

2 (words): each patch's row is the sum of learnt vectors for its true classes (`patch_labels`), of the patches
with something in them. First one thing of a tile stands there, then two, then more. 3 (align): the projector
learns to give those rows from the encoder's features. 4: projector and language model on them (tiles), then
everything (together), then again without the encoder on whole pictures (images): no row is left out.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hired_gguf.synthetic.shapes import Shape

from . import checkpoint, workers
from .encoder import Encoder, Teacher
from .language import Language, answer_loss
from .lessons import cls_loss, patch_loss
from .patch_labels import GROUPS, SHAPE
from .prompts import Prompts
from .render import Picture, batches
from .rows import Oracle, Projector
from .schedule import Plan, Stage
from .sequence import Batch, single_partitions, whole_pictures
from .sizes import VISION
from .stage_encoder import CLS

TILES = ("words", "tiles", "together")  # stages of single partitions
ALL = 99  # things
SEEING = 0.1  # weight of the encoder's lesson on patches while everything learns


class Trainer:
    """All modules, and the stages that train them, each going on from its checkpoint."""

    def __init__(
        self,
        plan: Plan,
        shape: Shape,
        prompts: Prompts,
        *,
        crowded: list[Picture],
        pictures: list[Picture],
        folder: Path,
    ) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.prompts, self.pictures, self.folder = plan, prompts, pictures, folder
        self.partitions = [
            (p, i) for p in (*crowded, *pictures) for i in range(len(p.labels)) if p.labels[i].any()
        ]
        self.encoder, self.teacher = Encoder(VISION), Teacher(VISION)
        self.language = Language(shape.text)
        self.oracle = Oracle(shape.text.width)
        self.projector = Projector(VISION.width, shape.text.width)

    def modules(self) -> dict[str, nn.Module]:
        """Everything that a checkpoint holds."""
        names = ("encoder", "teacher", "language", "oracle", "projector")
        return {name: getattr(self, name) for name in names}

    def batch(self, name: str, step: int, numbers: list[int]) -> tuple[Batch, Tensor, Tensor]:
        """Sequences, labels [patches, groups] and partitions [P, S, S, 3] of some pictures."""
        rng = random.Random(f"{self.plan.seed}/{name}/{step}")
        if name in TILES:
            parts = [self.partitions[i] for i in numbers]
            things = 1 + step // self.plan.grow if name == "words" else ALL
            batch = single_partitions(parts, self.prompts, rng, things)
            chosen = [p.labels[i] for p, i in parts]
            pixels = np.stack([p.partitions[i] for p, i in parts])
        else:
            pictures = [self.pictures[i] for i in numbers]
            batch, chosen = whole_pictures(pictures, self.prompts, rng), [p.labels for p in pictures]
            pixels = np.concatenate([p.partitions for p in pictures])
        labels = torch.from_numpy(np.concatenate([one.reshape(-1, len(GROUPS)) for one in chosen]))
        return batch, labels, torch.from_numpy(pixels)

    def run(self, name: str, stage: Stage, trained: tuple[str, ...]) -> None:
        """Train the modules named for one stage."""
        path = self.folder / f"{name}.pt"
        parameters = [p for part in trained for p in self.modules()[part].parameters()]
        opt = checkpoint.optimizer(parameters, stage)
        kept = checkpoint.load(path)
        if kept:
            for part, module in self.modules().items():
                module.load_state_dict(kept[part])
            opt.load_state_dict(kept["optimizer"])
        first, began, right = kept.get("step", 0), time.monotonic(), 0.0
        count = len(self.partitions if name in TILES else self.pictures)
        order = batches(count, stage.batch, self.plan.seed + len(name), skip=first)
        for step in range(first, stage.steps):
            torch.manual_seed(step)
            data = self.batch(name, step, workers.part(next(order)))
            with torch.autocast("cpu", torch.bfloat16):
                loss, hits = getattr(self, f"loss_{name}")(*data)
            checkpoint.step(opt, loss, checkpoint.rate(stage, step))
            right = hits if step == first else 0.95 * right + 0.05 * hits
            if step % 25 == 0:
                workers.say(
                    f"{name} {step} {time.monotonic() - began:.0f} s loss {loss:.3f} right {right:.3f}"
                )
            if (step + 1) % 150 == 0 or step + 1 == stage.steps:
                state = {part: module.state_dict() for part, module in self.modules().items()}
                checkpoint.save(path, **state, optimizer=opt.state_dict(), step=step + 1)

    def loss_words(self, batch: Batch, labels: Tensor, _: Tensor) -> tuple[Tensor, float]:
        """Stage 2."""
        return answer_loss(self.language, self.projector.image_newline, self.oracle(labels), batch)

    def loss_align(self, _: Batch, labels: Tensor, pixels: Tensor) -> tuple[Tensor, float]:
        """Stage 3; the second number is the share of the rows' variance that is explained."""
        with torch.no_grad():
            features, wanted = self.encoder.features(pixels), self.oracle(labels)
        error = (self.projector(features).flatten(0, 1) - wanted).float().square().mean(-1)
        busy = labels[:, SHAPE] > 0
        explained = 1 - error[busy].mean() / wanted[busy].float().var(0).mean()
        return error[busy].mean() + 0.3 * error[~busy].mean(), float(explained.detach())

    def loss_tiles(self, batch: Batch, _: Tensor, pixels: Tensor) -> tuple[Tensor, float]:
        """Stage 4, the encoder frozen."""
        with torch.no_grad():
            features = self.encoder.features(pixels)
        return self._answers(batch, features)

    def loss_images(self, batch: Batch, labels: Tensor, pixels: Tensor) -> tuple[Tensor, float]:
        """The same, of whole pictures."""
        return self.loss_tiles(batch, labels, pixels)

    def loss_together(self, batch: Batch, labels: Tensor, pixels: Tensor) -> tuple[Tensor, float]:
        """Everything; the encoder's own lessons go on, so that CLS goes on looking at content."""
        states, attention = self.encoder.states(pixels)
        features = states[self.encoder.used][:, 1:]
        loss, right = self._answers(batch, features)
        targets = labels.view(len(pixels), -1, labels.shape[-1])
        dense = patch_loss(self.teacher.patches(features), targets)
        return loss + SEEING * (dense + CLS * cls_loss(attention, targets)), right

    def _answers(self, batch: Batch, features: Tensor) -> tuple[Tensor, float]:
        rows = self.projector(features).flatten(0, 1)
        return answer_loss(self.language, self.projector.image_newline, rows, batch)
