"""What of a JPEG decides its pixels: thumbnails, colour profiles, comments and trailers do not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import ImageError

_SCAN, _END = 0xDA, 0xD9  # markers of a JPEG
_HEADER_KEPT = range(0xC0, 0xE0)  # tables, frame, scan
_TURNING_SEGMENTS = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")
_TABLES = (0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD)  # what stands between scans, besides APPn and comments
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # no stuffed byte, no restart
_FILLERS = (bytes(64), b"\0" + b"\xaa" * 63)
_BEHIND = 16  # bytes, more than what a cut in a scan may leave undecided


def jpeg_parts(data: bytes) -> list[bytes]:
    """The file up to its end mark, without the segments that do not decide its pixels; see `pixel_parts`."""
    view, at = memoryview(data), 2
    kept = [view[:at]]
    for start, end, marker in _header_segments(data):
        if marker in _HEADER_KEPT or _is_kept_app(marker, view[start:end]):
            kept.append(view[start:end])
        at = end
    scan, end, follower = _last_scan(data, at)
    if follower == _END:
        return [b"".join([*kept, view[at:end], b"\xff\xd9"])]
    # With something behind the lost mark, the pixels need nothing of it: they are the same whatever is there.
    end -= _BEHIND if follower is None else 0
    if follower in _TABLES or end < scan:
        raise ImageError("is cut short: its pixel data is truncated, and its end mark is missing")
    return [b"".join([*kept, view[at:end], filler, b"\xff\xd9"]) for filler in _FILLERS]


def _header_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(start, end, marker) of the segments before the first scan's data; its own header is the last."""
    at, marker = 2, 0
    while marker != _SCAN and (match := _MARKER.search(data, at)):
        at, marker = _end_of_segment(data, match), match[1][0]
        yield match.start(), at, marker


def _end_of_segment(data: bytes, marker: re.Match[bytes]) -> int:
    return marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")


def _is_kept_app(marker: int, segment: memoryview) -> bool:
    """JFIF without its thumbnail, what turns the picture, and how colours are coded."""
    body = bytes(segment[4:40])
    if marker == 0xE1:
        return body.startswith(_TURNING_SEGMENTS)
    return (marker == 0xE0 and body.startswith(b"JFIF\0") and 14 <= len(body) < 36) or (
        marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12
    )


def _last_scan(data: bytes, at: int) -> tuple[int, int, int | None]:
    """Where the last scan's data starts and ends, and the marker there: None at the end of the file."""
    scan, end, follower, is_open = at, len(data), None, True
    while match := _MARKER.search(data, at):
        marker = match[1][0]
        if is_open:
            end, follower, is_open = match.start(), marker, False
        if marker == _END:
            return scan, match.start(), marker
        if marker not in _TABLES and not 0xE0 <= marker < 0xF0 and marker != 0xFE:
            break
        at = _end_of_segment(data, match)
        if marker == _SCAN:
            scan, end, follower, is_open = at, len(data), None, True
    return scan, end, follower
