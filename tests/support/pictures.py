"""Small pictures and files of them, for the tests of images."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from hired_gguf.images.load import load_image

ORIENTATION = 0x0112
STORED = {  # what a camera did to the picture, as EXIF defines the numbers
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def with_orientation(image, orientation, format, **options):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = image.transpose(STORED[orientation]) if orientation > 1 else image
    return encoded(stored, format, exif=exif, **options)


def picture(width=40, height=24):
    """Smooth colours, different in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (255 * x / max(1, width - 1), 255 * y / max(1, height - 1), 40 + 0 * x)
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def encoded(image, format="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(source, **options):
    image = load_image(source, **options)
    assert image.mode == "RGB"
    assert image.info == {}
    return np.asarray(image)


def png(width, height, bits, colour, rows=b"", *chunks):
    """A PNG of raw rows, for what Pillow reads but does not write."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def over_white(rgba):
    rgba = np.asarray(rgba, float)
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


def with_alpha():
    image = picture()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image
