"""Any image source to one upright RGB picture, without trusting the source: load decodes."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.Image import Transpose

from ..errors import ImageError, InputError
from .formats import FORMATS, format_of
from .pixel_parts import pixel_parts
from .sources import MAX_BYTES, ImageSource, LoadedImage, describe, read_bytes, read_image

MAX_PIXELS = 100_000_000
MAX_SIDE = 65_535  # JPEG's own limit; resizing a longer side needs memory out of proportion to its pixels
HALVED_PIXELS = 4_000_000  # fewer than these are never the result of halving: a model may look at 2.4 million

_log = logging.getLogger("hired_gguf")
_TURNS = {  # EXIF orientation to what makes the picture upright
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def load_image(
    source: ImageSource,
    *,
    allow_http: bool = False,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
) -> Image.Image:
    """The picture upright, in mode RGB, as a new image without metadata.

    ``source`` is a path, a ``file:``, ``data:`` or (with ``allow_http``) http(s) URL, the bytes of an encoded
    image, a PIL image, a uint8 array [H, W, 3] or [H, W, 4], or a `LoadedImage`, which is handed out as it
    is. The content, not the name, decides the format; of an animation the first frame counts. Alpha is laid
    over white. Grey of 16 bits (modes I;16 and I, 0..65535) is scaled to 8. ``max_bytes`` limits the encoded
    image; ``max_pixels`` the decoded one, checked before decoding: a JPEG of up to twice as many pixels is
    decoded at half its width and height, if that leaves HALVED_PIXELS. The source is never changed, and no
    other program is started.

    Raises ImageError for whatever cannot be read, is damaged or is too large. It names the source, or
    ``name`` where the caller knows a better one.
    """
    if isinstance(source, LoadedImage):
        return source.image
    require_max_pixels(max_pixels)
    name = name or describe(source)
    source = read_image(source, allow_http=allow_http, max_bytes=max_bytes)
    try:
        image = _open(source, max_bytes, max_pixels)
        return _upright_rgb(image, shared=image is source)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    except MemoryError:  # the picture is not to blame
        raise
    except Exception as error:  # on damaged data Pillow raises nearly anything
        reason = re.sub(r"\s*\b0x[0-9a-fA-F]+", "", str(error)) or type(error).__name__
        raise ImageError(f"{name}: damaged or unsupported image: {reason}") from error


def require_max_pixels(max_pixels: int) -> None:
    """Raise InputError unless it is a whole number of pixels."""
    if isinstance(max_pixels, bool) or not isinstance(max_pixels, int) or max_pixels < 1:
        raise InputError(f"max_pixels is {max_pixels!r}; allowed: a whole number of at least 1")


def _open(source: Any, max_bytes: int, max_pixels: int) -> Image.Image:
    if isinstance(source, (Image.Image, np.ndarray)):
        image = source if isinstance(source, Image.Image) else _from_array(source)
        _require_size(image.size, max_pixels)
        return image
    if not isinstance(source, bytes):
        source = read_bytes(source, max_bytes)
    if not source:
        raise ImageError("is empty")
    if len(source) > max_bytes:
        raise ImageError(f"has {len(source)} bytes, allowed are {max_bytes}")
    return _from_file(source, max_pixels)


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (3, 4) or not array.size:
        got = f"{array.dtype} {list(array.shape)}"
        raise ImageError(f"expected a uint8 array [H, W, 3] or [H, W, 4], got {got}")
    return Image.fromarray(np.ascontiguousarray(array))


def _from_file(data: bytes, max_pixels: int) -> Image.Image:
    """Open as ``Image.open`` does, but for its global pixel limit, which warns and allows."""
    kind = format_of(data)
    if kind is None:
        raise ImageError(f"is not one of {', '.join(FORMATS)}")
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        _warn_of_truncated()
    image, *twins = [Image.OPEN[kind][0](BytesIO(part), "") for part in pixel_parts(kind, data)]
    for each in (image, *twins):
        _fit(each, max_pixels)
    if any(twin.tobytes() != image.tobytes() for twin in twins):
        raise ImageError("is cut short: its pixel data is truncated, and its end mark is missing")
    return image


@lru_cache(maxsize=1)
def _warn_of_truncated() -> None:
    _log.warning(
        "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set in this process: pictures whose pixel data is damaged or "
        "cut may be shown to the model as far as they go. Set it to False"
    )


def _fit(image: Image.Image, max_pixels: int) -> None:
    """Let a JPEG that is too large be decoded at half of its width and height. Raises ImageError."""
    width, height = image.size
    pixels = width * height
    if image.format == "JPEG" and max_pixels < pixels <= 2 * max_pixels and pixels >= 4 * HALVED_PIXELS:
        image.draft(None, (width // 2, height // 2))
        max_pixels *= 2
    _require_size((width, height), max_pixels)


def _require_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels or max(size) > MAX_SIDE:
        allowed = f"{max_pixels} pixels (see max_pixels, --max-pixels) and {MAX_SIDE} a side"
        raise ImageError(f"has {size[0]} x {size[1]} pixels, allowed are {allowed}")
    if min(size) < 1:
        raise ImageError("has no pixels")


def _upright_rgb(image: Image.Image, shared: bool) -> Image.Image:
    image.load()
    turn = _turn(image)
    image = _to_rgb(image.copy() if shared else image)  # Pillow's convert writes alpha into the palette
    if turn is not None:
        image = image.transpose(turn)
    image.info = {}  # else a reader of its EXIF would turn the picture once more
    return image


def _turn(image: Image.Image) -> Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata does not make the picture unreadable
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ImageError("floating point pixels have no agreed range; convert them to uint8 first")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        rgba = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(rgba, mask=rgba)
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale grey values 0..65535 to 0..255 (Pillow would clip them); the transparent one gets alpha 0."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65_535:
        raise ImageError("integer pixels outside 0..65535")
    grey = Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if "transparency" in image.info:
        opaque = values != image.info["transparency"]
        grey.putalpha(Image.fromarray(opaque.astype(np.uint8) * 255))
    return grey
