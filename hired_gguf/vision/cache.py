"""Encoded images that are kept, so that no picture goes through the vision encoder twice."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from ..errors import InputError, shown
from ..model_files.mmproj import MmprojInfo
from ..native.kernels import kernels_used
from ..native.load import PIN, core
from .cache_folder import EncodingFolder
from .encoding import EncodedImage, Floats

# Raise it whenever preprocessing or the vision graph gives other numbers, or an entry holds other arrays.
# Files of an older version have keys that nobody asks for, and go first when room is needed.
VERSION = 2


def encoder_identity(info: MmprojInfo, device: str, flash_attention: str) -> str:
    """Everything but the picture that an encoding depends on."""
    return json.dumps([VERSION, PIN, info.fingerprint, device, _devices(), flash_attention, kernels_used()])


@lru_cache(maxsize=1)
def _devices() -> tuple[str, ...]:
    return tuple(device.name for device in core.list_devices())  # what "auto" and "gpu" choose from


def encoding_key(picture: Image.Image, identity: str) -> str:
    """A name, in hexadecimal digits, that only the same RGB pixels in the same width and height have."""
    digest = hashlib.sha256(json.dumps([identity, picture.mode, picture.size]).encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


class EncodingCache:
    """The encoded images used last, of at most ``max_bytes`` in memory; 0 keeps none there.

    With a ``folder`` they are also kept in files, of at most ``max_disk_bytes``, that later processes find.
    An image larger than a bound is not kept. ``hits`` and ``misses`` count the calls of `get`. May be used
    by several threads. Raises InputError for a bound that is not a whole number of at least 0.
    """

    def __init__(
        self,
        max_bytes: int = 512 << 20,
        folder: str | os.PathLike[str] | None = None,
        max_disk_bytes: int = 4 << 30,
    ) -> None:
        self.max_bytes = _bytes("cache_bytes", max_bytes)
        self.hits = self.misses = 0
        self.nbytes = 0
        self._disk = (
            None if folder is None else EncodingFolder(folder, _bytes("max_disk_bytes", max_disk_bytes))
        )
        self._images: OrderedDict[str, EncodedImage] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the bounds and the folder, not the images."""
        return type(self), (
            self.max_bytes,
            *((self._disk.folder, self._disk.max_bytes) if self._disk else ()),
        )

    def __len__(self) -> int:
        return len(self._images)

    def get(self, key: str, tiling: core.Tiling) -> EncodedImage | None:
        """The image of that `encoding_key`, whose tiling is ``tiling``, or None."""
        with self._lock:
            image = self._images.get(key)
            if image is not None:
                self._images.move_to_end(key)
        if image is None and self._disk is not None:
            image = _image(self._disk.read(key), tiling)
            if image is not None:
                self._keep(key, image)
        with self._lock:
            self.hits += image is not None
            self.misses += image is None
        return image

    def put(self, key: str, image: EncodedImage) -> None:
        """Keep an image."""
        self._keep(key, image)
        if self._disk is not None:
            self._disk.write(key, _arrays(image))

    def clear(self) -> None:
        """Free the memory. Files stay."""
        with self._lock:
            self._images.clear()
            self.nbytes = 0

    def _keep(self, key: str, image: EncodedImage) -> None:
        size = _size(image)
        if size > self.max_bytes:
            return
        with self._lock:
            if (old := self._images.pop(key, None)) is not None:
                self.nbytes -= _size(old)
            self._images[key] = image
            self.nbytes += size
            while self.nbytes > self.max_bytes:
                self.nbytes -= _size(self._images.popitem(last=False)[1])


def _bytes(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"{name} is {shown(value)}; allowed: a whole number of bytes, 0 or more")
    return value


NAMES = ("ids", "rows", "newline", "attention_first", "attention_last", "hidden")


def _arrays(image: EncodedImage) -> dict[str, Floats]:
    """The arrays as float32, which holds all ids exactly: a picture has far fewer than 2^24 tokens."""
    return {name: getattr(image, name).astype(np.float32, copy=False) for name in NAMES}


def _size(image: EncodedImage) -> int:
    return sum(getattr(image, name).nbytes for name in NAMES)


def _image(arrays: dict[str, Floats] | None, tiling: core.Tiling) -> EncodedImage | None:
    """The image, if the arrays are one of that tiling."""
    if arrays is None or arrays.keys() != set(NAMES):
        return None
    floats = dict(arrays)
    numbers = floats.pop("ids")
    with np.errstate(invalid="ignore"):  # what is no number becomes another one
        ids = numbers.astype(np.int32)
    image = EncodedImage(tiling=tiling, ids=ids, **floats)
    return image if np.array_equal(ids, numbers) and _is_sound(image) else None


def _is_sound(image: EncodedImage) -> bool:
    """Whether all shapes fit together, and all ids are of encoded partitions."""
    partitions, tokens = image.tiling.partitions, image.tiling.tokens
    shapes = [getattr(image, name).shape for name in NAMES]
    if [len(shape) for shape in shapes] != [1, 2, 1, 3, 3, 3]:
        return False
    (count,), (rows, width), (newline,), first, last, hidden = shapes
    encoded = np.flatnonzero(image.encoded)
    return bool(
        count == rows
        and newline in (0, width)
        and first == last == (partitions, last[1], tokens + 1)
        and (image.whole or hidden[:2] == (len(encoded), tokens + 1))
        and (np.diff(image.ids, prepend=-1) > 0).all()
        and np.isin(image.ids // tokens, encoded).all()
    )
