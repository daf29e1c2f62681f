"""How far two mmproj files are apart: their projected rows, and the tokens that a budget keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import InputError, ModelMismatchError
from ..images.samples import sample_pictures
from ..images.sources import ImageSource
from ..model_files.mmproj import Mmproj
from ..progress import Progress
from .encoder import VisionEncoder
from .encoding import Encoding


@dataclass(frozen=True)
class Overlap:
    """Of the tokens that either file keeps under a budget, the share that both keep (Jaccard index)."""

    budget: int | float
    mean: float
    """Over the pictures."""
    min: float


@dataclass(frozen=True)
class Drift:
    """What changed between two files. Rows of the padding do not count, since no language model sees them."""

    pictures: int
    rows: int
    """Projected rows compared, of all pictures."""
    cosine_mean: float
    cosine_min: float
    relative_error: float
    """Norm of the difference over norm of the source's rows."""
    kept: tuple[Overlap, ...]


def measure_drift(
    source: Mmproj,
    target: Mmproj,
    images: Sequence[ImageSource] | None = None,
    *,
    budgets: Sequence[int | float] = (0.2, 0.1),
    n_threads: int | None = None,
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Drift:
    """Encode pictures (three drawn ones by default) with both files and compare. Loads both at once.

    ``on_progress`` gets "compare", pictures done and their number. Raises InputError without pictures,
    ModelMismatchError for files that differ in more than weights, and what `VisionEncoder` raises.
    """
    pictures = sample_pictures() if images is None else list(images)
    if not pictures:
        raise InputError("there are no pictures to compare with")
    with (
        VisionEncoder(source, n_threads=n_threads, device=device) as before,
        VisionEncoder(target, n_threads=n_threads, device=device) as after,
    ):
        _check_comparable(before, after)
        parts = []
        for done, picture in enumerate(pictures):
            if on_progress:
                on_progress("compare", done, len(pictures))
            one, other = (encoder.encode(picture, features=False) for encoder in (before, after))
            parts.append(_compare(one, other, budgets))
    return _total(parts, budgets)


@dataclass(frozen=True)
class _Part:
    """One picture."""

    cosines: npt.NDArray[np.float64]
    error2: float
    norm2: float
    overlaps: list[float]


def _compare(before: Encoding, after: Encoding, budgets: Sequence[int | float]) -> _Part:
    seen = before.select(1.0, newlines="drop").order
    a, b = (each.projected.reshape(-1, each.projected.shape[-1])[seen] for each in (before, after))
    kept = [[set(each.select(budget).order.tolist()) for each in (before, after)] for budget in budgets]
    return _Part(
        cosines=_cosines(a, b),
        error2=float(np.square(a - b, dtype=np.float64).sum()),
        norm2=float(np.square(a, dtype=np.float64).sum()),
        overlaps=[len(one & other) / len(one | other) for one, other in kept],
    )


def _cosines(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Of matching rows; 0 where one of the two is zero."""
    dots, aa, bb = (np.einsum("ij,ij->i", x, y, dtype=np.float64) for x, y in ((a, b), (a, a), (b, b)))
    norms = np.sqrt(aa * bb)
    cosines: npt.NDArray[np.float64] = np.zeros_like(dots)
    np.divide(dots, norms, out=cosines, where=norms > 0)
    return cosines.clip(-1, 1)


def _total(parts: list[_Part], budgets: Sequence[int | float]) -> Drift:
    cosines = np.concatenate([part.cosines for part in parts])
    norm2 = sum(part.norm2 for part in parts)
    overlaps = np.array([part.overlaps for part in parts])
    return Drift(
        pictures=len(parts),
        rows=len(cosines),
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        relative_error=float(np.sqrt(sum(part.error2 for part in parts) / norm2)) if norm2 else 0.0,
        kept=tuple(
            Overlap(budget, float(column.mean()), float(column.min()))
            for budget, column in zip(budgets, overlaps.T, strict=True)
        ),
    )


def _check_comparable(before: VisionEncoder, after: VisionEncoder) -> None:
    for name in ("image_size", "patch_size", "pinpoints", "unpad", "text_width"):
        one, other = getattr(before.info, name), getattr(after.info, name)
        if one != other:
            raise ModelMismatchError(
                f"{before.info.path} and {after.info.path} are different models: {name} is {one} and {other}"
            )
