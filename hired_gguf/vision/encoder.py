"""The vision encoder: a picture in, projected rows and CLS attention out."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..closing import Closing
from ..errors import ClosedError, InputError
from ..images.load import MAX_PIXELS, load_image, require_max_pixels
from ..images.sources import ImageSource
from ..model_files.gguf_file import read_gguf
from ..model_files.mmproj import Mmproj, read_mmproj
from ..model_files.unfilled import refuse_unfilled
from ..native.kernels import kernels_used
from ..native.load import core
from ..native.process import (
    NativeLock,
    in_stale_fork,
    note_gpu,
    note_threads,
    usable_cores,
)
from .encoding import EncodedImage, Encoding, Floats, TiledPicture, tiling_of
from .preprocess import preprocess


class VisionEncoder(Closing):
    """The vision encoder of a LLaVA or LLaVA-Next mmproj file, by its path or as `read_mmproj` found it.

    ``device`` is "auto" (a GPU if llama-cpp-python was built for one), "cpu", "gpu" or a name that
    ``hired-gguf doctor`` lists. ``flash_attention`` is "auto", "on" or "off". Calls from several threads take
    turns. ``allow_http`` and ``max_pixels`` are those of `load_image`.

    Raises ModelFormatError or one of its kind for a file that cannot be used; the process stays alive.
    """

    def __init__(
        self,
        mmproj: Mmproj,
        *,
        n_threads: int | None = None,
        device: str = "auto",
        flash_attention: str = "auto",
        allow_http: bool = False,
        max_pixels: int = MAX_PIXELS,
        verbose: bool = False,
    ) -> None:
        self.info = read_mmproj(mmproj)
        refuse_unfilled(read_gguf(self.info.path))
        require_max_pixels(max_pixels)
        self.allow_http, self.max_pixels = allow_http, max_pixels
        self._lock = NativeLock()
        with self._lock:
            self._model: core.VisionModel | None = core.VisionModel(
                os.fspath(self.info.path),
                device,
                n_threads or 0,
                flash_attention,
                kernels_used(),
                verbose,
                self.info.executed_layers,
            )
        self._newline = self._model.image_newline()
        self._threads = n_threads or usable_cores()
        note_gpu(self._model.device != "CPU")

    @property
    def device(self) -> str:
        """The backend that runs the encoder."""
        return self._open().device

    def tiling(self, image_size_hw: tuple[int, int]) -> core.Tiling:
        """How an image of this (height, width) is cut into partitions."""
        return tiling_of(self.info, image_size_hw)

    def encode(
        self, image: ImageSource, attention_layers: Sequence[int] = (0, -1), *, features: bool = True
    ) -> Encoding:
        """Encode a picture: a path, URL, bytes, PIL image or uint8 array [H, W, 3].

        ``attention_layers`` are 0-based executed layers, negative ones counted from the last. The first and
        the last are always computed, since selection needs them. Raises ImageError, InputError.
        """
        loaded = load_image(image, allow_http=self.allow_http, max_pixels=self.max_pixels)
        picture = TiledPicture.of(loaded, self.info)
        layers = [_layer(number, self.info.executed_layers) for number in attention_layers]
        pixels = self._pixels(picture)
        attention, rows, projected = self._run(pixels, layers, features)
        return Encoding(
            tiling=picture.tiling,
            pixel_values=pixels,
            attention={number: attention[il] for number, il in zip(attention_layers, layers, strict=True)},
            features=rows,
            picture=picture.image,
            projected=projected,
            newline=self._newline,
            attention_first=attention[0],
            attention_last=attention[self.info.executed_layers - 1],
        )

    def encode_tiled(self, picture: TiledPicture) -> EncodedImage:
        """What a budget needs of a picture that was loaded and tiled before."""
        attention, _, projected = self._run(self._pixels(picture), (), features=False)
        return EncodedImage(
            tiling=picture.tiling,
            projected=projected,
            newline=self._newline,
            attention_first=attention[0],
            attention_last=attention[self.info.executed_layers - 1],
        )

    def close(self) -> None:
        """Free the model. Later calls raise ClosedError."""
        if in_stale_fork():
            return
        with self._lock:
            self._model = None

    def _pixels(self, picture: TiledPicture) -> Floats:
        return preprocess(picture.image, picture.tiling, self.info.mean, self.info.std)

    def _run(
        self, pixels: Floats, layers: Sequence[int], features: bool
    ) -> tuple[dict[int, Floats], Floats | None, Floats]:
        """CLS attention by layer, first and last among them; features if asked for; projected rows."""
        wanted = sorted({0, self.info.executed_layers - 1, *layers})
        with self._lock:
            note_threads(self._threads)
            attention, rows, projected = self._open().encode(pixels, wanted, features)
        return dict(zip(wanted, attention, strict=True)), rows, projected

    def _open(self) -> core.VisionModel:
        if self._model is None:
            raise ClosedError("this VisionEncoder is closed")
        return self._model


def _layer(number: int, layers: int) -> int:
    if not -layers <= number < layers:
        raise InputError(f"attention_layers has {number}; allowed: {-layers} to {layers - 1}")
    return number % layers
