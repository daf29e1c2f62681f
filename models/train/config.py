"""Sizes of the model, and how long each stage trains."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shapes import Shape, TextShape, VisionShape

PATCH, TILE = 14, 168
SIDE = TILE // PATCH  # patches along a tile's edge
TOKENS = SIDE * SIDE
WIDTH = 256  # of the language model

#: `layers` leaves out the last one: it is trained, and dropped in the file, as LLaVA never runs it.
VISION = VisionShape(image_size=TILE, width=192, layers=6, heads=6, feed_forward=768, projection_dim=192)


def shape(vocabulary: int) -> Shape:
    """The pair's sizes."""
    text = TextShape(width=WIDTH, layers=5, heads=8, feed_forward=704, vocabulary=vocabulary, context=4096)
    return Shape(text, VISION)


@dataclass(frozen=True)
class Stage:
    """``steps`` of ``batch`` pictures (the encoder: partitions); ``rate`` is the highest learning rate."""

    steps: int
    batch: int
    rate: float
    warmup: int = 100


@dataclass(frozen=True)
class Plan:
    """One training run. ``crowded`` pictures teach the encoder, ``plain`` ones the language model."""

    crowded: int = 10000
    plain: int = 12000
    pages: int = 3000
    letters: Stage = Stage(steps=1500, batch=3000, rate=2e-3)  # patches
    encoder: Stage = Stage(steps=6000, batch=36, rate=1e-3, warmup=100)
    text: Stage = Stage(steps=3000, batch=32, rate=1.2e-3)  # partitions
    described: int = 2600  # steps of it that read of things only, not of the empty places between them
    align: Stage = Stage(steps=300, batch=16, rate=2e-3, warmup=20)
    images: Stage = Stage(steps=900, batch=8, rate=8e-4)
    together: Stage = Stage(steps=300, batch=8, rate=2e-4)
    seed: int = 0


def smoke(plan: Plan) -> Plan:
    """The same, too short to learn anything: shows in two minutes that every stage runs."""

    def brief(stage: Stage) -> Stage:
        return replace(stage, steps=6, warmup=2, batch=min(stage.batch, 8))

    return replace(
        plan,
        crowded=64,
        plain=64,
        pages=64,
        described=3,
        letters=brief(plan.letters),
        encoder=brief(plan.encoder),
        text=brief(plan.text),
        align=brief(plan.align),
        images=brief(plan.images),
        together=brief(plan.together),
    )
