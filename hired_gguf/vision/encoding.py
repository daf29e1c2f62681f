"""What the vision encoder makes of a picture, and the rows that a budget keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from PIL import Image

from ..model_files.mmproj import MmprojInfo
from ..native.load import core
from ..selection.budget import DEFAULT, Budget, PolicyOptions, TokenBudget
from ..selection.policies import SELECTIONS
from ..selection.selection import Selection, select_with_tiling

if TYPE_CHECKING:
    from typing_extensions import Unpack

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """What a budget needs of an encoded image.

    It has P partitions (the full image, then the tiles in raster order) of N visual tokens. ``projected``
    [P, N, D_text]; ``newline`` [D_text], empty if the model has none; ``attention_first`` and
    ``attention_last`` [P, heads, N + 1] are the softmaxed CLS attention of the first and the last executed
    layer, column 0 being CLS itself. All float32. ``question`` [words, D_text] are the embeddings of the
    words that are asked about the image, where a selection needs them.
    """

    tiling: core.Tiling
    projected: Floats
    newline: Floats
    attention_first: Floats
    attention_last: Floats
    question: Floats | None = field(default=None, kw_only=True)

    @property
    def image_size_hw(self) -> tuple[int, int]:
        """(height, width) of the upright image in pixels."""
        return self.tiling.image_size_hw

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of tiles; (0, 0) for a model that sees the full image only."""
        return self.tiling.grid

    def select(self, budget: Budget = DEFAULT, **options: Unpack[PolicyOptions]) -> Selection:
        """The tokens that stay; arguments are those of `TokenBudget.of`.

        Raises BudgetError; InputError where the selection needs a question and there is none.
        """
        return self.select_with(TokenBudget.of(budget, **options))

    def select_with(self, config: TokenBudget) -> Selection:
        """`select` with its options in one value."""
        first, last = self.attention_first[:, :, 1:], self.attention_last[:, :, 1:]
        rows = self.projected if "rows" in SELECTIONS[config.selection].needs else None
        return select_with_tiling(first, last, self.tiling, config, rows=rows, question=self.question)

    def asked(self, question: Floats | None) -> EncodedImage:
        """This image with the question [words, D_text] that is asked about it."""
        return replace(self, question=question)

    def pack(self, selection: Selection | None = None) -> Floats:
        """The rows [n, D_text] that the language model sees, in its order.

        Without a selection nothing is dropped: the full image, then the mosaic of tiles without its padding,
        a newline row after each of its rows (Hugging Face's ``pack_image_features``).
        """
        chosen = selection or self.select_with(TokenBudget(1.0))
        rows = self.projected.reshape(-1, self.projected.shape[-1])
        packed = rows[np.maximum(chosen.packing, 0)]
        if chosen.merged is not None:
            _merge(packed, rows, chosen.packing, chosen.merged.ravel())
        if self.newline.size:
            packed[chosen.packing < 0] = self.newline
        return packed


def _merge(packed: Floats, rows: Floats, packing: NDArray[np.int32], merged: NDArray[np.int32]) -> None:
    """Put the mean of a kept row and of the mean of what is merged into it in that row's place."""
    for place in np.flatnonzero(np.isin(packing, merged) & (packing >= 0)):
        others = rows[merged == packing[place]]
        packed[place] = (packed[place] + others.mean(axis=0)) / 2


@dataclass(frozen=True, eq=False)
class Encoding(EncodedImage):
    """An `EncodedImage`, and everything else that was asked for.

    ``pixel_values`` [P, 3, S, S] normalised; ``attention`` maps each layer number asked for to its CLS
    attention [P, heads, N + 1]; ``features`` [P, N, D_vision] before the projector, or None if not asked for.
    All float32. ``picture`` is the upright RGB image itself.
    """

    pixel_values: Floats
    attention: Mapping[int, Floats]
    features: Floats | None
    picture: Image.Image


@dataclass(frozen=True, eq=False)
class TiledPicture:
    """A picture that was loaded, upright and RGB, and how the model cuts it: found once, handed on.

    ``question`` is what `EncodedImage.question` will be.
    """

    image: Image.Image
    tiling: core.Tiling
    question: Floats | None = None

    @classmethod
    def of(cls, image: Image.Image, info: MmprojInfo) -> TiledPicture:
        """The picture with the tiling that a mmproj file asks for."""
        return cls(image, tiling_of(info, (image.height, image.width)))


def tiling_of(info: MmprojInfo, image_size_hw: tuple[int, int]) -> core.Tiling:
    """How a model cuts an image of that (height, width)."""
    return core.make_tiling(image_size_hw, info.pinpoints, info.image_size, info.patch_size, info.unpad)
