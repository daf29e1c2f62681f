"""A prompt cut into what llama.cpp evaluates at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..vision.encoding import Floats
from .ledger import Evaluable, ImageRows

#: A run of tokens, or of an image's rows [n, D_text].
Piece = list[int] | Floats


def batches(
    segments: Sequence[Evaluable], kept: int, most: int, *, joined: bool, apart: bool
) -> Iterator[list[Piece]]:
    """What follows the first ``kept`` positions, at most ``most`` positions a batch.

    With ``joined`` text and images share batches, with ``apart`` up to each image's end alone: then a batch
    holds the same whatever follows the image. Without ``joined`` each segment has batches of its own.
    """
    rest = _behind(segments, kept)
    for stretch in _stretches(rest, apart=apart) if joined else ([piece] for piece in rest):
        yield from _cut(stretch, most)


def is_text(batch: Sequence[Piece]) -> bool:
    """Whether no image is in it."""
    return all(isinstance(piece, list) for piece in batch)


def _behind(segments: Sequence[Evaluable], kept: int) -> Iterator[Piece]:
    for segment in segments:
        whole = segment.rows if isinstance(segment, ImageRows) else segment
        skip = min(kept, len(whole))
        kept -= skip
        if skip < len(whole):
            yield whole[skip:]


def _stretches(pieces: Iterable[Piece], *, apart: bool) -> Iterator[list[Piece]]:
    stretch: list[Piece] = []
    for piece in pieces:
        stretch.append(piece)
        if apart and not isinstance(piece, list):
            yield stretch
            stretch = []
    yield stretch


def _cut(stretch: Iterable[Piece], most: int) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    for whole in stretch:
        piece = whole
        while len(piece):
            space = most - sum(map(len, batch))
            batch.append(piece[:space])
            piece = piece[space:]
            if len(batch[-1]) == space:
                yield batch
                batch = []
    if batch:
        yield batch
