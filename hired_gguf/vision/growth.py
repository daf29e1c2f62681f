"""An encoded image that grows: partitions are added as they are encoded, and rows as they are asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..native.load import core
from .encoding import EncodedImage, Floats, Ids

#: Of an image that needs none, since all its rows are there.
NO_HIDDEN: Floats = np.empty((0, 0, 0), np.float32)


def all_ids(tiling: core.Tiling) -> Ids:
    """The ids of all tokens."""
    return np.arange(tiling.partitions * tiling.tokens, dtype=np.int32)


def nothing(tiling: core.Tiling, newline: Floats, heads: int, width: int, text_width: int) -> EncodedImage:
    """An image of which nothing was encoded yet."""
    attention = np.zeros((tiling.partitions, heads, tiling.tokens + 1), np.float32)
    return EncodedImage(
        tiling=tiling,
        ids=np.empty(0, np.int32),
        rows=np.empty((0, text_width), np.float32),
        newline=newline,
        attention_first=attention,
        attention_last=attention,
        hidden=np.empty((0, tiling.tokens + 1, width), np.float32),
    )


def whole(
    tiling: core.Tiling, newline: Floats, projected: Floats, first: Floats, last: Floats
) -> EncodedImage:
    """An image with all its rows, ``projected`` [P, N, D_text]."""
    return EncodedImage(
        tiling=tiling,
        ids=all_ids(tiling),
        rows=projected.reshape(-1, projected.shape[-1]),
        newline=newline,
        attention_first=first,
        attention_last=last,
        hidden=NO_HIDDEN,
    )


def with_partitions(
    image: EncodedImage, partitions: npt.NDArray[np.intp], first: Floats, last: Floats, hidden: Floats
) -> EncodedImage:
    """The image with partitions that were not encoded before: what `core.VisionModel.begin` gives of them."""
    order = np.argsort(np.concatenate([np.flatnonzero(image.encoded), partitions]))
    attention_first, attention_last = image.attention_first.copy(), image.attention_last.copy()
    attention_first[partitions], attention_last[partitions] = first, last
    return replace(
        image,
        attention_first=attention_first,
        attention_last=attention_last,
        hidden=np.concatenate([image.hidden, hidden])[order],
    )


def hidden_for(image: EncodedImage, ids: Ids) -> tuple[Floats, Ids]:
    """What `core.VisionModel.finish` takes for these rows: hidden states of their partitions, ids in them.

    Raises InputError for a partition that was not encoded.
    """
    tokens = image.tiling.tokens
    partitions, places = np.unique(ids // tokens, return_inverse=True)
    encoded = np.flatnonzero(image.encoded)
    if len(absent := np.setdiff1d(partitions, encoded)):
        raise InputError(f"[vision] partition {absent[0]} was not encoded; encoded are {encoded.tolist()}")
    return image.hidden[np.searchsorted(encoded, partitions)], (places * tokens + ids % tokens).astype(
        np.int32
    )


def with_rows(image: EncodedImage, ids: Ids, rows: Floats) -> EncodedImage:
    """The image with rows that were missing. Once all are there, the hidden states go."""
    all_ids = np.concatenate([image.ids, ids])
    order = np.argsort(all_ids)
    grown = replace(image, ids=all_ids[order], rows=np.concatenate([image.rows, rows])[order])
    return replace(grown, hidden=NO_HIDDEN) if grown.whole else grown
