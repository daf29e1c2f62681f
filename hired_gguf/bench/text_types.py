"""Text models of several types from one of random weights, made by llama.cpp's own quantizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import llama_cpp

from ..errors import HiredError
from ..files import replacing
from ..native.child import Child
from ..native.child_errors import ChildError
from ..native.serve import Note
from ..synthetic.cache import cached_pair
from ..synthetic.pair_files import pair_bytes, pair_paths
from .disk import require_space

SOURCE = "f16"
QUANTISER = f"{__name__}:Quantiser"


class TextType(NamedTuple):
    """llama.cpp's number for a kind of file, and about how many bits a weight takes in it."""

    number: int
    bits: float


TYPES = {
    "q3_k_m": TextType(llama_cpp.LLAMA_FTYPE_MOSTLY_Q3_K_M, 4.0),
    "q4_0": TextType(llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0, 4.7),
    "q4_k_m": TextType(llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M, 5.0),
    "q5_0": TextType(llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_0, 5.7),
    "q5_k_m": TextType(llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M, 5.9),
    "q6_k": TextType(llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K, 6.7),
    "q8_0": TextType(llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, 8.6),
}


@dataclass(frozen=True)
class Maker:
    """Makes text models of ``shape``, cut to ``layers``, in ``folder``.

    ``say`` hears once what is being made, ``status`` how far it is.
    """

    shape: str
    layers: int | None
    folder: Path
    threads: int
    say: Callable[[str], None]
    status: Callable[[str], None]

    def make(self, kinds: Sequence[str]) -> tuple[dict[str, Path], Path]:
        """The text models by type, and their mmproj. What is there already is kept, and the F16 source goes.

        Raises HiredError, and leaves no unfinished file.
        """
        files = {kind: self._path(kind) for kind in kinds}
        missing = {kind: path for kind, path in files.items() if not os.path.isfile(path)}
        source, mmproj = pair_paths(self.shape, self.folder, SOURCE, layers=self.layers)
        if not missing and os.path.isfile(mmproj):
            return files, mmproj
        require_space(self.folder, self._bytes(missing))
        self.say(f"making models with random weights ({', '.join(missing)}) in {self.folder}")
        with ExitStack() as stack:
            if not os.path.isfile(source):  # gigabytes that nobody measures
                stack.callback(source.unlink, missing_ok=True)
            cached_pair(self.shape, self.folder, SOURCE, self.layers, self._written)
            for kind, path in missing.items():
                self._quantise(source, path, kind)
        return files, mmproj

    def _path(self, kind: str) -> Path:
        """Not the name of a pair whose blocks are drawn: its scales and its output matrix are others."""
        path = pair_paths(self.shape, self.folder, kind, layers=self.layers)[0]
        return path.with_name(f"{path.stem}-quantized.gguf")

    def _bytes(self, missing: Sequence[str] | dict[str, Path]) -> int:
        whole = pair_bytes(self.shape, SOURCE, self.layers)
        return whole + sum(int(whole * TYPES[kind].bits / 16) for kind in missing)

    def _written(self, name: str, done: int, total: int) -> None:
        self.status(f"writing {name}: {done / total:.0%}")

    def _quantise(self, source: Path, path: Path, kind: str) -> None:
        expected = source.stat().st_size * TYPES[kind].bits / 16
        try:
            with replacing(path) as partial, Child(QUANTISER) as child:

                def tick(seconds: float) -> None:
                    made = partial.stat().st_size if partial.exists() else 0
                    self.status(f"making {path.name}: {min(made / expected, 0.99):.0%}, {seconds:.0f} s")

                tick(0)
                child.call(
                    "quantise",
                    tick,
                    source=str(source),
                    path=str(partial),
                    number=TYPES[kind].number,
                    threads=self.threads,
                )
        except (ChildError, OSError) as error:
            raise HiredError(f"cannot make a {kind} model in {self.folder}: {error}") from error


class Quantiser:
    """Serves requests in a process of its own, which Ctrl-C ends in the midst of it."""

    def __init__(self, note: Note) -> None:
        pass

    def quantise(self, source: str, path: str, number: int, threads: int) -> None:
        """Write a text model as another of llama.cpp's kinds of file. Raises HiredError."""
        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype, options.nthread = number, threads
        if status := llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(path), options):
            raise HiredError(f"llama.cpp's quantizer ended with {status}")
