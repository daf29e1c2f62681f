"""Which format a file is in, by its content; its name and media type say nothing."""

from __future__ import annotations

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")


def format_of(data: bytes) -> str | None:
    """The one of FORMATS whose signature the bytes begin with."""
    Image.init()
    for name in FORMATS:
        accept = Image.OPEN[name][1]
        if accept is not None and accept(data[:16]) is True:
            return name
    return None
