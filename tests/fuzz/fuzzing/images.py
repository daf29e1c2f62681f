"""Pictures of others: any bytes as an encoded image."""

from __future__ import annotations

import struct
import zlib

from hired_gguf.errors import ImageError
from hired_gguf.images.load import load_image

from .target import Target

MAX_PIXELS = 1 << 20  # memory and time go with it
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def run(data: bytes) -> None:
    """What comes out is upright RGB of the size allowed, without metadata."""
    image = load_image(data, max_pixels=MAX_PIXELS)
    assert image.mode == "RGB"
    assert image.info == {}
    assert 1 <= image.width * image.height <= MAX_PIXELS
    assert len(image.tobytes()) == 3 * image.width * image.height


def right_checksums(data: bytes) -> bytes:
    """A PNG with the checksum of every chunk set right, else the fuzzer would not get behind the first."""
    if not data.startswith(SIGNATURE):
        return data
    out, at = [SIGNATURE], len(SIGNATURE)
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        body = data[at + 4 : at + 8 + length]
        if at + 12 + length > len(data):
            break
        out += [data[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join([*out, data[at:]])


TARGET = Target(
    "images",
    run,
    (ImageError,),
    max_length=16 << 10,
    words=(
        *(SIGNATURE, "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "iCCP", "zTXt", "eXIf", "acTL", "fcTL", "fdAT"),
        *(
            b"\xff\xd8\xff",
            b"\xff\xd9",
            b"\xff\xc2",
            b"\xff\xdb",
            b"\xff\xee",
            "Exif",
            "MPF",
            "GIF87a",
            "GIF89a",
        ),
        *("RIFF", "WEBP", "VP8 ", "VP8L", "VP8X", "ANIM", "BM", b"II*\0", b"MM\0*"),
    ),
    repair=right_checksums,
)
