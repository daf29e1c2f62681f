"""Checkpoints that a later run goes on from, and the learning rate's course."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from hired_gguf.files import replacing

from . import workers
from .schedule import Stage


def save(path: Path, **parts: Any) -> None:
    """Write whole or not at all, one process for all."""
    if workers.number() > 0:
        return
    with replacing(path) as partial:
        torch.save(parts, partial)


def load(path: Path) -> dict[str, Any]:
    """What `save` wrote, empty if there is none."""
    return torch.load(path, weights_only=True) if path.exists() else {}


def rate(stage: Stage, step: int) -> float:
    """Linear warm-up, then a cosine to a fiftieth."""
    if step < stage.warmup:
        return stage.rate * (step + 1) / stage.warmup
    done = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return stage.rate * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def optimizer(parameters: Any, stage: Stage) -> torch.optim.AdamW:
    """AdamW, no decay on vectors."""
    parameters = [p for p in parameters if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.05},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=stage.rate, betas=(0.9, 0.98), fused=True)


def step(opt: torch.optim.Optimizer, loss: torch.Tensor, learning_rate: float) -> None:
    """One update with the gradient's norm held at 1."""
    for group in opt.param_groups:
        group["lr"] = learning_rate
    opt.zero_grad(set_to_none=True)
    loss.backward()
    parameters = [p for group in opt.param_groups for p in group["params"]]
    workers.average(parameters)
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    opt.step()
