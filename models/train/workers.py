"""Processes that train together, each on its part of every batch, as ``torchrun`` starts them; or one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import distributed


def join() -> None:
    """Find the others, if there are any."""
    if "RANK" in os.environ:
        distributed.init_process_group("gloo")


def number() -> int:
    """This process's, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def part(items: Any) -> Any:
    """What of a batch, a list or a tensor, is this process's to do."""
    return items[number() :: distributed.get_world_size()] if distributed.is_initialized() else items


def wait() -> None:
    """Until all have come here."""
    if distributed.is_initialized():
        distributed.barrier()


def average(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Put the mean of all processes' gradients in the place of each one's own."""
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def say(text: str) -> None:
    """Print it once."""
    if number() == 0:
        print(text, flush=True)
