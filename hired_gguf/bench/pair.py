"""The files that are measured: given, or of random weights, which are as fast as real ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import NativeError
from ..files import user_folder
from ..model_files.pair import read_text_model
from ..native import amx_crash
from ..native.cpu import on_gpu
from ..native.load import VERSION
from ..synthetic.cache import cached_pair
from ..synthetic.pair_files import pair_bytes, pair_paths
from ..synthetic.shapes import SHAPES
from .disk import require_space
from .text_types import Maker

SMALL, LARGE = "small", "llava-next-7b"


@dataclass(frozen=True)
class Files:
    """The text models to measure, by what people call their type, and the mmproj of all of them."""

    texts: dict[str, Path]
    mmproj: Path


def given(model: Path, mmproj: Path) -> Files:
    """One pair. Raises ModelFormatError and others of its kind."""
    return Files({read_text_model(model).file_type.lower(): model}, mmproj)


@dataclass(frozen=True)
class StandIn:
    """Text models of the 7B shape, or ``quick`` of the small one, cut to ``layers``; and their mmproj.

    They are kept in the user's cache folder. What is missing is made, with a message.
    """

    quick: bool
    layers: int | None
    gpu_layers: int

    @property
    def shape(self) -> str:
        """Its name in `SHAPES`."""
        return SMALL if self.quick else LARGE

    @property
    def whole(self) -> int:
        """Text layers of the shape."""
        return SHAPES[self.shape].text.layers

    def pair(self, say: Callable[[str], None]) -> Files:
        """One pair, whose blocks are drawn. Raises HiredError, InputError, OSError."""
        quant = "f16" if self.quick else "q4_0"
        if not self.quick:
            self._require_quantised()
        size, folder = pair_bytes(self.shape, quant, self.layers), user_folder("cache") / VERSION
        there = pair_paths(self.shape, folder, quant, layers=self.layers)
        if not all(os.path.isfile(path) for path in there):
            require_space(folder, size)
            say(f"making a pair with random weights, {size / 1e6:.0f} MB, in {folder}")
        text, mmproj = cached_pair(self.shape, folder, quant, self.layers)
        return Files({quant: text}, mmproj)

    def types(
        self,
        kinds: Sequence[str],
        threads: int,
        say: Callable[[str], None],
        status: Callable[[str], None],
    ) -> Files:
        """The same weights in several types, see `Maker`. Raises HiredError, InputError, OSError."""
        self._require_quantised()
        folder = user_folder("cache") / VERSION
        return Files(*Maker(self.shape, self.layers, folder, threads, say, status).make(kinds))

    def _require_quantised(self) -> None:
        """Raise NativeError if a quantised stand-in could not run here."""
        if not on_gpu(self.gpu_layers) and (died := amx_crash.crash()):
            raise NativeError(
                f"the stand-in is quantised, and this build of llama-cpp-python dies ({died}) when such a "
                "model reads a prompt on this CPU. --quick without --types works. Or rebuild it:\n"
                f"{amx_crash.FIX}"
            )
