"""What the vision encoder makes of a picture, and the rows that a budget keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from ..model_files.mmproj import MmprojInfo
from ..native.load import core
from ..selection.budget import ALL, DEFAULT, Budget, PolicyOptions, TokenBudget
from ..selection.policies import SELECTIONS
from ..selection.selection import Selection, needs_all_partitions, needs_rows, select_with_tiling

if TYPE_CHECKING:
    from typing_extensions import Unpack

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """What a budget needs of an encoded image, as far as it was computed.

    It has P partitions (the full image, then the tiles in raster order) of N visual tokens. ``newline``
    [D_text] is empty if the model has none. ``attention_first`` and ``attention_last`` [P, heads, N + 1] are
    the softmaxed CLS attention of the first and the last executed layer, column 0 being CLS itself, and 0 for
    a partition that was not encoded. ``rows`` [n, D_text] are the projected rows of the tokens ``ids`` [n],
    which are partition * N + token, ascending. While rows are missing, ``hidden`` [encoded, N + 1, D_vision]
    is what the last layer reads of the encoded partitions: the encoder makes further rows of it. ``question``
    [words, D_text] are the embeddings of the words that are asked about the image, where a selection needs
    them. All numbers are float32, ids int32.
    """

    tiling: core.Tiling
    ids: Ids
    rows: Floats
    newline: Floats
    attention_first: Floats
    attention_last: Floats
    hidden: Floats
    question: Floats | None = field(default=None, kw_only=True)

    @property
    def image_size_hw(self) -> tuple[int, int]:
        """(height, width) of the upright image in pixels."""
        return self.tiling.image_size_hw

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of tiles; (0, 0) for a model that sees the full image only."""
        return self.tiling.grid

    @property
    def encoded(self) -> npt.NDArray[np.bool_]:
        """Which partitions were encoded, [P]."""
        return np.asarray(self.attention_last.any(axis=(1, 2)))

    @property
    def whole(self) -> bool:
        """Whether the rows of all tokens are there."""
        return len(self.ids) == self.tiling.partitions * self.tiling.tokens

    @property
    def projected(self) -> Floats:
        """The projected rows of all tokens, [P, N, D_text]. Raises InputError while rows are missing."""
        if not self.whole:
            tokens = self.tiling.partitions * self.tiling.tokens
            raise InputError(f"[vision] rows of {len(self.ids)} of {tokens} tokens are there, not of all")
        return self.rows.reshape(self.tiling.partitions, self.tiling.tokens, -1)

    def missing(self, ids: Ids) -> Ids:
        """Those of the ids whose rows are not there, ascending."""
        return np.setdiff1d(ids, self.ids).astype(np.int32)

    def unseen(self, config: TokenBudget) -> npt.NDArray[np.intp]:
        """Partitions that must be encoded next before this budget can select; none if it can.

        Where the full image's attention alone shares the budget out, the full image goes first, and a tile
        without a share never.
        """
        if needs_all_partitions(self.tiling, config):
            wanted = np.ones(self.tiling.partitions, np.bool_)
        elif not self.encoded[0]:
            wanted = np.arange(self.tiling.partitions) == 0
        else:
            wanted = self.select_with(config).counts > 0
        return np.flatnonzero(wanted & ~self.encoded)

    def shows(self, config: TokenBudget) -> bool:
        """Whether all is there that this budget needs to select."""
        return self.whole or not (needs_rows(self.tiling, config) or self.unseen(config).size)

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
        a newline row after each of its rows (Hugging Face's ``pack_image_features``). Raises InputError while
        rows are missing.
        """
        chosen = selection or self.select_with(ALL)
        if lacking := len(self.missing(chosen.sources)):
            raise InputError(
                f"[vision] rows of {lacking} of {len(chosen.sources)} needed tokens are missing; "
                "VisionEncoder.finish makes them"
            )
        packed = np.empty((len(chosen.packing), self.rows.shape[1]), np.float32)
        newline = chosen.packing < 0
        packed[~newline] = self._rows_of(chosen.order)
        packed[newline] = self.newline if self.newline.size else 0
        if chosen.merged is not None:
            self._merge(packed, chosen.packing, chosen.merged.ravel())
        return packed

    def _rows_of(self, ids: NDArray[np.integer[Any]]) -> Floats:
        return self.rows[np.searchsorted(self.ids, ids)]

    def _merge(self, packed: Floats, packing: Ids, merged: Ids) -> None:
        """Put the mean of a kept row and of the mean of what is merged into it in that row's place."""
        for place in np.flatnonzero(np.isin(packing, merged) & (packing >= 0)):
            others = self._rows_of(np.flatnonzero(merged == packing[place]))
            packed[place] = (packed[place] + others.mean(axis=0)) / 2


@dataclass(frozen=True, eq=False)
class Encoding(EncodedImage):
    """A whole `EncodedImage`, and everything else that was asked for.

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
