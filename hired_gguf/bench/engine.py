"""What the two engines have in common: how they are set up, and what one can ask of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import llama_cpp

from ..native.llama import clear
from .measurement import Measurement


@dataclass(frozen=True)
class EngineSettings:
    """What an engine is made from. ``budget`` is None for stock."""

    model: str
    mmproj: str
    budget: int | float | None
    n_ctx: int
    n_threads: int
    gpu_layers: int


class Engine(Protocol):
    """A loaded model that measures its answers."""

    def ask(self, image: str, question: str, max_tokens: int) -> Measurement:
        """Answer greedily about the PNG at a path."""
        ...


def warm_up(llama: llama_cpp.Llama) -> None:
    """Touch the weights once, so that the first answer does not wait for the disk."""
    llama.eval([llama.token_bos()])
    clear(llama)
