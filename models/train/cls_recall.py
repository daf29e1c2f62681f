"""Does CLS attention look at what will be asked? Measured before the language model learns anything."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hired_gguf import _core
from hired_gguf.scenes.layout import pinpoints

from . import workers
from .encoder import Encoder
from .patch_labels import LENGTH, SHAPE
from .render import Picture
from .sizes import PATCH, TILE

BUDGETS = (0.4, 0.2, 0.1)


def attention(encoder: Encoder, picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """CLS attention [P, heads, N] of the first and of the last executed layer."""
    with torch.no_grad():
        states, _ = encoder.states(torch.from_numpy(picture.partitions), encoder.used)
        first = encoder.blk[0].cls_attention(states[0])
        last = encoder.blk[encoder.used - 1].cls_attention(states[-2])
    return first.numpy(), last.numpy()


def report(encoder: Encoder, pictures: list[Picture], alpha: float = 0.5) -> None:
    """Print, per budget, the share of the tiles' text patches kept, and of pictures that lose none."""
    kept: dict[float, list[float]] = {budget: [] for budget in BUDGETS}
    shares, contents = [], []
    for picture in pictures:
        width, height = picture.scene.image.size
        tiling = _core.make_tiling((height, width), pinpoints(TILE), TILE, PATCH)
        first, last = attention(encoder, picture)
        text: NDArray[np.bool_] = np.any(picture.labels[:, :, :LENGTH], axis=-1)
        text[0] = False
        for budget in BUDGETS:
            tokens = _core.budget_tokens(budget, tiling.partitions, tiling.tokens)
            mask, counts, *_ = _core.select(first, last, tiling, tokens, alpha, "hired")
            if text.any():
                kept[budget].append(float(mask[text].mean()))
        busy = (picture.labels[1:, :, SHAPE] > 0).sum(1)
        shares += list(counts[1:] / max(1, counts[1:].sum()))
        contents += list(busy / max(1, busy.sum()))
    for budget, values in kept.items():
        whole = np.mean(np.array(values) == 1)
        workers.say(f"recall of text patches at {budget}: {np.mean(values):.3f}, whole: {whole:.3f}")
    correlation = np.corrcoef(shares, contents)[0, 1]
    workers.say(f"layer 0's share and the content of a tile: correlation {correlation:.2f}")
