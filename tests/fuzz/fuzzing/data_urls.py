"""Pictures in text: ``data:`` URLs, other schemes, names."""

from __future__ import annotations

import base64
import re

from hired_gguf.errors import ImageError
from hired_gguf.images.sources import describe, read_image

from .target import Target

PLAIN = re.compile(r"data:image/\w+;base64,([A-Za-z0-9+/]+={0,2})")


def run(data: bytes) -> None:
    """The bytes that are in it; of a strict URL exactly those of the standard library."""
    text = data.decode("utf-8", "surrogateescape")
    assert len(describe(text)) <= 300
    content = read_image(text)
    assert isinstance(content, bytes)
    plain = PLAIN.fullmatch(text)
    if plain and len(plain[1]) % 4 == 0:
        assert content == base64.b64decode(plain[1], validate=True)


TARGET = Target(
    "data_urls",
    run,
    (ImageError,),
    max_length=4096,
    seconds=1.0,
    megabytes=32,
    words=(
        *(
            "data:",
            "image/",
            "png",
            "jpeg",
            ";base64",
            ",",
            "%",
            "%2C",
            "charset=",
            "application/octet-stream",
        ),
        *("file:", "//localhost/", "http://", "https://", "/dev/zero", "..", "=", "==", "-", "_", "%00"),
    ),
)
