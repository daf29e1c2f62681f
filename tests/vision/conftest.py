"""What tests of the encoder's cache share."""

from __future__ import annotations

import pytest
from cache_entries import NAMES
from golden_pair import photo

from hired_gguf.images.load import load_image
from hired_gguf.vision.encoding import TiledPicture


@pytest.fixture(scope="module")
def encoded(encoder):
    """The golden coffee, encoded."""
    return encoder.encode_tiled(TiledPicture.of(load_image(photo("coffee")), encoder.info))


@pytest.fixture
def size(encoded):
    """Its bytes."""
    return sum(getattr(encoded, name).nbytes for name in NAMES)
