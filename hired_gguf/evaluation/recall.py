"""Whether what must be read for an answer was shown to the language model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..native.load import core
from ..scenes.geometry import cover, moved, shows, views
from ..scenes.scene import Box
from ..selection.selection import Selection


def patches_of(characters: Sequence[Box], tiling: core.Tiling) -> NDArray[np.intp]:
    """Ids ``partition * N + token`` of the patches that show these characters in the tiles.

    Each character counts in the tile that holds most of it; in the full image if a model has no tiles.
    """
    ids = [_patches(box, tiling) for box in characters]
    return np.unique(np.concatenate(ids)) if ids else np.empty(0, np.intp)


def _patches(box: Box, tiling: core.Tiling) -> NDArray[np.intp]:
    size = tiling.side, tiling.patch
    full, *tiles = views(tiling)
    partition, transform = max(tiles or [full], key=lambda view: cover(moved(box, view[1]), *size).sum())
    return partition * tiling.tokens + np.flatnonzero(shows(box, transform, *size))


def all_kept(patches: NDArray[np.intp], selection: Selection) -> bool:
    """Whether the language model sees all of these patches."""
    return bool(selection.packed.ravel()[patches].all())
