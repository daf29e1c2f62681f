"""How long each stage trains, and on how many pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Stage:
    """``steps`` of ``batch`` pictures (the encoder: partitions); ``rate`` is the highest learning rate."""

    steps: int
    batch: int
    rate: float
    warmup: int = 100


@dataclass(frozen=True)
class Plan:
    """One training run: numbers of pictures and pages, then its stages, which README.md here describes.

    ``crowded`` pictures teach by single partitions; whole pictures are ``plain`` ones.
    """

    crowded: int = 8000
    plain: int = 8000
    pages: int = 15000
    letters: Stage = Stage(steps=1200, batch=3000, rate=2e-3)  # patches
    encoder: Stage = Stage(steps=6000, batch=72, rate=1.2e-3)
    words: Stage = Stage(steps=2000, batch=64, rate=2e-3)  # partitions
    grow: int = 150  # steps of it after which one more thing is described at a time
    align: Stage = Stage(steps=300, batch=16, rate=2e-3, warmup=20)  # pictures
    tiles: Stage = Stage(steps=250, batch=128, rate=1.2e-3)  # partitions
    together: Stage = Stage(steps=400, batch=64, rate=3e-4)
    images: Stage = Stage(steps=700, batch=16, rate=6e-4)  # pictures
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
        grow=3,
        words=brief(plan.words),
        letters=brief(plan.letters),
        encoder=brief(plan.encoder),
        align=brief(plan.align),
        tiles=brief(plan.tiles),
        together=brief(plan.together),
        images=brief(plan.images),
    )
