"""The vision encoder: a picture in, projected rows and CLS attention out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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
from ..selection.budget import ALL, TokenBudget
from ..selection.selection import Selection, needs_rows
from .encoding import EncodedImage, Encoding, Floats, Ids, TiledPicture, tiling_of
from .growth import all_ids, hidden_for, nothing, whole, with_partitions, with_rows
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
        self._has_steps = self._model.has_steps
        self._ends = [0, self.info.executed_layers - 1]  # the layers whose attention selects
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
        wanted = sorted({*self._ends, *layers})
        with self._native() as model:
            found, rows, projected = model.encode(pixels, wanted, features)
        attention = dict(zip(wanted, found, strict=True))
        first, last = (attention[il] for il in self._ends)
        return Encoding(
            **vars(whole(picture.tiling, self._newline, projected, first, last)),
            pixel_values=pixels,
            attention={number: attention[il] for number, il in zip(attention_layers, layers, strict=True)},
            features=rows,
            picture=picture.image,
        )

    def encode_tiled(
        self, picture: TiledPicture, budget: TokenBudget = ALL, known: EncodedImage | None = None
    ) -> EncodedImage:
        """What a budget needs to select, of a picture that was loaded and tiled before.

        If it selects by attention, tiles without a share are not encoded, and the last layer gives its CLS
        attention alone; `finish` then makes the rows that stay. ``known`` is what was encoded of the picture
        before, to which the rest is added.
        """
        everything = needs_rows(picture.tiling, budget) or not self._has_steps
        if everything and known is None:
            return self._encode_whole(picture)
        image = self._add_partitions(known or self._nothing_of(picture), picture, budget)
        return self._add_rows(image, all_ids(picture.tiling)) if everything else image

    def finish(self, image: EncodedImage, selection: Selection) -> EncodedImage:
        """The image with the rows that the selection needs; those that are there are not made anew.

        Raises InputError for a token of a partition that was not encoded.
        """
        return self._add_rows(image, selection.sources)

    def close(self) -> None:
        """Free the model. Later calls raise ClosedError."""
        if in_stale_fork():
            return
        with self._lock:
            self._model = None

    def _pixels(self, picture: TiledPicture) -> Floats:
        return preprocess(picture.image, picture.tiling, self.info.mean, self.info.std)

    def _encode_whole(self, picture: TiledPicture) -> EncodedImage:
        pixels = self._pixels(picture)
        with self._native() as model:
            (first, last), _, projected = model.encode(pixels, self._ends, False)
        return whole(picture.tiling, self._newline, projected, first, last)

    def _nothing_of(self, picture: TiledPicture) -> EncodedImage:
        model = self._open()
        return nothing(picture.tiling, self._newline, model.heads, model.width, model.text_width)

    def _add_partitions(
        self, image: EncodedImage, picture: TiledPicture, budget: TokenBudget
    ) -> EncodedImage:
        """The image with all partitions that this budget needs to select."""
        if not image.unseen(budget).size:
            return image
        pixels = self._pixels(picture)
        while (partitions := image.unseen(budget)).size:
            with self._native() as model:
                (first, last), hidden = model.begin(pixels[partitions], self._ends)
            image = with_partitions(image, partitions, first, last, hidden)
        return image

    def _add_rows(self, image: EncodedImage, ids: Ids) -> EncodedImage:
        if not (missing := image.missing(ids)).size:
            return image
        hidden, places = hidden_for(image, missing)
        with self._native() as model:
            rows = model.finish(hidden, places)
        return with_rows(image, missing, rows)

    @contextmanager
    def _native(self) -> Iterator[core.VisionModel]:
        """The model, for one call in this thread's turn. Raises ClosedError."""
        with self._lock:
            note_threads(self._threads)
            yield self._open()

    def _open(self) -> core.VisionModel:
        if self._model is None:
            raise ClosedError("this VisionEncoder is closed")
        return self._model


def _layer(number: int, layers: int) -> int:
    if not -layers <= number < layers:
        raise InputError(f"attention_layers has {number}; allowed: {-layers} to {layers - 1}")
    return number % layers
