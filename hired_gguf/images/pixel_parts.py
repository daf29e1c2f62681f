"""What of a file decides its pixels. All else (text, profiles, trailers) may be odd: no decoder sees it.

So neither a library's limits for such parts nor their checksums keep a picture from being read. Orientation
stays: EXIF, and XMP of an ordinary size.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

from ..errors import ImageError
from .jpeg_parts import jpeg_parts

_SIGNATURE = 8  # bytes of it in a PNG
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_MATTERS = (b"tRNS", b"eXIf", b"tEXt", b"zTXt", b"iTXt")  # of what is ancillary
_TURNING_TEXT = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type APP1\0")
_MOST_TEXT = 1 << 20  # bytes, unpacked

_WEBP_PIXELS = (b"VP8 ", b"VP8L", b"ANMF")
_WEBP_FLAGS = {**dict.fromkeys((b"VP8X", b"ALPH", b"ANIM", *_WEBP_PIXELS), 0), b"EXIF": 8, b"XMP ": 4}
# Size, samples, compression, strips and tiles, orientation, palette; tables of JPEG, YCbCr.
_TAGS = {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325}
_TAGS |= {332, 338, 339, 340, 341, 347, *range(512, 522), *range(529, 533)}


def pixel_parts(kind: str, data: bytes) -> list[bytes]:
    """The file of a format without what does not decide its pixels.

    Where a JPEG has lost its end mark there are two files, of the same pixels if all pixel data is there.
    Raises ImageError for a file that ends too early.
    """
    read = _READERS.get(kind)
    return read(data) if read else [data]


def _png(data: bytes) -> list[bytes]:
    view, at = memoryview(data), _SIGNATURE
    kept = [view[:at]]
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            return [b"".join([*kept, _IEND])]
        end = at + 12 + length
        if not kind[0] & 0x20 or (kind in _MATTERS and _is_kept_chunk(kind, view[at:end])):
            kept.append(view[at:end])
        at = end
    raise ImageError("is cut short: its end mark is missing")


def _is_kept_chunk(kind: bytes, chunk: memoryview) -> bool:
    """Whether an ancillary chunk is transparency, or turns the picture and is sound."""
    if kind == b"tRNS":
        return True
    turns = kind == b"eXIf" or _turns(kind, bytes(chunk[8:-4]))
    return turns and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _turns(kind: bytes, text: bytes) -> bool:
    if not text.startswith(_TURNING_TEXT) or len(text) > _MOST_TEXT:
        return False
    if kind != b"zTXt":
        return kind == b"tEXt" or text.partition(b"\0")[2][:1] == b"\0"  # not packed
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(text.partition(b"\0")[2][1:], _MOST_TEXT)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail


def _webp(data: bytes) -> list[bytes]:
    view, at, flags = memoryview(data), 12, 0
    kept: list[Any] = []
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length + length % 2
        flag = _WEBP_FLAGS.get(kind)
        if end > len(data):
            break
        if flag is not None:
            flags |= flag
            kept.append(view[at:end])
        at = end
    if not any(chunk[:4] in _WEBP_PIXELS for chunk in kept):
        raise ImageError("is cut short: its pixel data is truncated")
    if kept[0][:4] == b"VP8X":
        kept[0] = bytes(kept[0][:8]) + bytes([kept[0][8] & ~0x2C | flags]) + bytes(kept[0][9:])
    return [b"".join([b"RIFF", struct.pack("<I", 4 + sum(map(len, kept))), b"WEBP", *kept])]


def _tiff(data: bytes) -> list[bytes]:
    """Without the other entries in its first directory; a bad one makes Pillow drop all that follow."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8 or data[2:4] not in (b"*\0", b"\0*"):
        return [data]  # BigTIFF
    start = struct.unpack_from(order + "I", data, 4)[0]
    count = struct.unpack_from(order + "H", data, start)[0] if start + 2 <= len(data) else 0
    end = start + 2 + 12 * count
    entries = [data[at : at + 12] for at in range(start + 2, min(end, len(data)), 12)]
    kept = [
        entry for entry in entries if int.from_bytes(entry[:2], "little" if order == "<" else "big") in _TAGS
    ]
    directory = struct.pack(order + "H", len(kept)) + b"".join(kept) + bytes(4)
    if start < 8 or start + len(directory) > min(end + 4, len(data)):
        return [data]
    view = memoryview(data)
    return [b"".join([view[:start], directory, view[start + len(directory) :]])]


_READERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "PNG": _png,
    "JPEG": jpeg_parts,
    "WEBP": _webp,
    "TIFF": _tiff,
}
