"""``data:`` URLs, read as browsers read them (WHATWG Fetch, "data: URL processor"), and a little more."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote_to_bytes

from ..errors import ImageError
from .formats import format_of

_AROUND = "".join(map(chr, range(33))) + "\"'<>\ufeff\u00a0"  # what a browser strips, and what quoting leaves
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BASE64 = re.compile(r"; *base64$", re.IGNORECASE)


def is_data_url(text: str) -> bool:
    """Whether a text is meant as one."""
    return text[:64].lstrip(_AROUND)[:5].lower() == "data:"


def read_data_url(url: str) -> bytes:
    """The image in a ``data:`` URL.

    Its content, not its media type, decides: an image is taken under any type, and base64 that holds one also
    where the word ``base64`` is missing or misplaced. Raises ImageError.
    """
    header, comma, body = re.sub(r"[\t\n\r]", "", url.strip(_AROUND)[5:]).partition(",")
    if not comma:
        raise ImageError("has no comma")
    payload = unquote_to_bytes(body.partition("#")[0])
    if _BASE64.search(header.strip()):
        data = from_base64(payload)
    else:
        data = payload if format_of(payload) else _misnamed(payload)
    media = header.partition(";")[0].strip().lower()
    if (
        data
        and not format_of(data)
        and "/" in media
        and media.partition("/")[0] not in ("image", "application")
    ):
        raise ImageError(f"holds {media[:40]}, not an image")
    return data


def from_base64(code: bytes) -> bytes:
    """Decode base64 with white space anywhere, either alphabet, and padding or none. Raises ImageError."""
    code = re.sub(rb"\\[nrt]", b"", code)  # line breaks that JSON escaped twice
    code = code.translate(_URL_SAFE, b" \t\n\f\r").rstrip(b"=")
    try:
        return base64.b64decode(code + b"=" * (-len(code) % 4), validate=True)
    except ValueError as error:
        raise ImageError(f"has damaged base64: {error}") from None


def _misnamed(payload: bytes) -> bytes:
    """The image of a payload in base64 that does not say so; else the payload."""
    try:
        data = from_base64(payload)
    except ImageError:
        return payload
    return data if format_of(data) else payload
