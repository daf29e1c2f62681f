"""The vision side: a picture in, projected rows and CLS attention out, and the rows that a budget keeps."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt
from PIL import Image

from .errors import ClosedError, InputError
from .images.load import load_image
from .images.sources import ImageSource
from .model_files.mmproj import MmprojInfo, read_mmproj
from .native.kernels import kernels_wanted
from .native.load import core
from .preprocess import preprocess
from .selection.budget import TokenBudget
from .selection.selection import Selection, select_with_tiling

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """What a budget needs of an encoded image.

    It has P partitions (the full image, then the tiles in raster order) of N visual tokens. ``projected``
    [P, N, D_text]; ``newline`` [D_text], empty if the model has none; ``attention_first`` and
    ``attention_last`` [P, heads, N + 1] are the softmaxed CLS attention of the first and the last executed
    layer, column 0 being CLS itself. All float32.
    """

    tiling: core.Tiling
    projected: Floats
    newline: Floats
    attention_first: Floats
    attention_last: Floats

    @property
    def image_size_hw(self) -> tuple[int, int]:
        """(height, width) of the upright image in pixels."""
        return self.tiling.image_size_hw

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of tiles; (0, 0) for a model that sees the full image only."""
        return self.tiling.grid

    def select(
        self,
        budget: int | float = 0.2,
        *,
        alpha: float = 0.5,
        allocation: str = "hired",
        newlines: str = "auto",
    ) -> Selection:
        """The tokens that stay under a budget; arguments as in `TokenBudget`. Raises BudgetError."""
        return self.select_with(TokenBudget(budget, alpha, allocation, newlines))

    def select_with(self, config: TokenBudget) -> Selection:
        """`select` with its options in one object."""
        first, last = self.attention_first[:, :, 1:], self.attention_last[:, :, 1:]
        return select_with_tiling(first, last, self.tiling, config)

    def pack(self, selection: Selection | None = None) -> Floats:
        """The rows [n, D_text] that the language model sees, in its order.

        Without a selection nothing is dropped: the full image, then the mosaic of tiles without its padding,
        a newline row after each of its rows (Hugging Face's ``pack_image_features``).
        """
        chosen = selection or self.select_with(TokenBudget(1.0))
        rows = self.projected.reshape(-1, self.projected.shape[-1])
        packed = rows[np.maximum(chosen.packing, 0)]
        if self.newline.size:
            packed[chosen.packing < 0] = self.newline
        return packed


@dataclass(frozen=True, eq=False)
class Encoding(EncodedImage):
    """An `EncodedImage`, and all else that was asked for.

    ``pixel_values`` [P, 3, S, S] normalised; ``attention`` maps each layer number asked for to its CLS
    attention [P, heads, N + 1]; ``features`` [P, N, D_vision] before the projector, or None if not asked for.
    All float32. ``picture`` is the upright RGB image itself.
    """

    pixel_values: Floats
    attention: Mapping[int, Floats]
    features: Floats | None
    picture: Image.Image

    def lean(self) -> EncodedImage:
        """Without all else."""
        return EncodedImage(
            self.tiling, self.projected, self.newline, self.attention_first, self.attention_last
        )


def tiling_of(info: MmprojInfo, image_size_hw: tuple[int, int]) -> core.Tiling:
    """How a model cuts an image of that (height, width)."""
    return core.make_tiling(image_size_hw, info.pinpoints, info.image_size, info.patch_size, info.unpad)


class VisionEncoder:
    """The vision encoder of a LLaVA or LLaVA-Next mmproj file.

    ``device`` is "auto" (a GPU if llama-cpp-python was built for one), "cpu", "gpu" or a name that
    ``hired-gguf doctor`` lists. ``flash_attention`` is "auto", "on" or "off". Calls from several threads take
    turns.

    Raises ModelFormatError or one of its kind for a file that cannot be used; the process stays alive.
    """

    def __init__(
        self,
        mmproj: str | os.PathLike[str],
        *,
        n_threads: int | None = None,
        device: str = "auto",
        flash_attention: str = "auto",
        allow_http: bool = False,
        verbose: bool = False,
    ) -> None:
        self.info: MmprojInfo = read_mmproj(mmproj)
        self.allow_http = allow_http
        self._lock = threading.Lock()
        self._model: core.VisionModel | None = core.VisionModel(
            os.fspath(mmproj), device, n_threads or 0, flash_attention, kernels_wanted(), verbose
        )
        self._newline = self._model.image_newline()

    @property
    def device(self) -> str:
        """The backend that runs the encoder."""
        return self._open().device

    def tiling(self, image_size_hw: tuple[int, int]) -> core.Tiling:
        """How an image of that (height, width) is cut."""
        return tiling_of(self.info, image_size_hw)

    def encode(
        self, image: ImageSource, attention_layers: Sequence[int] = (0, -1), *, features: bool = True
    ) -> Encoding:
        """Encode a picture: a path, URL, bytes, PIL image or uint8 array [H, W, 3].

        ``attention_layers`` are 0-based executed layers, negative ones counted from the last. The first and
        the last are always computed, since selection needs them. Raises ImageError, InputError.
        """
        picture = load_image(image, allow_http=self.allow_http)
        tiling = self.tiling((picture.height, picture.width))
        pixels = preprocess(picture, tiling, self.info.mean, self.info.std)
        layers = [_layer(number, self.info.executed_layers) for number in attention_layers]
        wanted = sorted({0, self.info.executed_layers - 1, *layers})
        with self._lock:
            attention, rows, projected = self._open().encode(pixels, wanted, features)
        by_layer = dict(zip(wanted, attention, strict=True))
        return Encoding(
            tiling=tiling,
            pixel_values=pixels,
            attention={number: by_layer[il] for number, il in zip(attention_layers, layers, strict=True)},
            features=rows,
            picture=picture,
            projected=projected,
            newline=self._newline,
            attention_first=attention[0],
            attention_last=attention[-1],
        )

    def close(self) -> None:
        """Free the model. Later calls raise ClosedError."""
        with self._lock:
            self._model = None

    def __enter__(self) -> VisionEncoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> core.VisionModel:
        if self._model is None:
            raise ClosedError("this VisionEncoder is closed")
        return self._model


def _layer(number: int, layers: int) -> int:
    if not -layers <= number < layers:
        raise InputError(f"attention_layers has {number}; allowed: {-layers} to {layers - 1}")
    return number % layers
