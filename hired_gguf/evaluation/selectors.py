"""Selectors that HiRED is compared with: random tokens, and other vision layers than the first and last."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..chat.handler import HiREDChatHandler
from ..context.visual_rows import Selector
from ..images.sources import LoadedImage
from ..selection.budget import TokenBudget
from ..selection.selection import Selection
from ..vision.encoding import EncodedImage, Floats
from .configuration import Configuration
from .layers import FIRST_AND_LAST


@dataclass(frozen=True)
class RandomTokens:
    """Keeps as many tokens of each partition as the budget's selection would, at random: what it must beat.

    ``name`` (the picture's) and ``seed`` decide the random numbers. Where partitions share alike, the tokens
    of a smaller budget are among those of a larger one.
    """

    name: str
    seed: int

    def __call__(self, image: EncodedImage, config: TokenBudget) -> Selection:
        """The selection of one image."""
        ours = image.select_with(config)
        rng = np.random.default_rng(list(f"{self.seed}/{self.name}".encode()))
        noise = rng.random((len(ours.mask), 1, ours.mask.shape[1]), np.float32)[:, 0]
        if config.allocation != "official":  # which takes padding for tokens
            noise[ours.padding] = -1
        ranks = np.argsort(np.argsort(-noise, axis=1, kind="stable"), axis=1)
        return ours.with_mask(ranks < ours.counts[:, None])


@dataclass(frozen=True, eq=False)
class OtherLayers:
    """Runs another selector on the CLS attention of layers of your choice.

    ``allots`` and ``picks`` [P, heads, N + 1] belong to the picture that will be asked about; ``selector``
    gets them in the place of the first and the last layer's.
    """

    allots: Floats
    picks: Floats
    selector: Selector = EncodedImage.select_with

    def __call__(self, image: EncodedImage, config: TokenBudget) -> Selection:
        """The selection of that image."""
        return self.selector(replace(image, attention_first=self.allots, attention_last=self.picks), config)


@dataclass(frozen=True, eq=False)
class OtherAttention:
    """The CLS attention of a picture by layer, and its cost: ``encodings`` of the picture, and seconds."""

    by_layer: Mapping[int, Floats] = field(default_factory=dict)
    encodings: int = 0
    seconds: float = 0.0


def attention_for(
    handler: HiREDChatHandler, image: LoadedImage, configurations: Sequence[Configuration]
) -> OtherAttention:
    """What the configurations need beyond an `EncodedImage`: one encoding for all of them, or none."""
    wanted = {layer for configuration in configurations for layer in layers_needed(configuration)}
    if not wanted:
        return OtherAttention()
    encoder = handler.load()
    if handler.on_progress:
        handler.on_progress("encode", 0, 1)
    started = time.perf_counter()
    encoding = encoder.encode(image, sorted(wanted), features=False)
    return OtherAttention(encoding.attention, 1, time.perf_counter() - started)


def layers_needed(configuration: Configuration) -> tuple[int, ...]:
    """The layer that allots and the one that picks, if they are not the first and the last."""
    layers = configuration.plain().layers
    return () if layers == FIRST_AND_LAST else layers
