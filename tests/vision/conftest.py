"""Encoders of every kind, and what tests of their cache share."""

from __future__ import annotations

import pytest
from cache_entries import NAMES
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, photo

from hired_gguf import VisionEncoder, _core
from hired_gguf.images.load import load_image
from hired_gguf.vision.encoding import TiledPicture

ENCODERS = [  # test_kernels.py compares numbers of threads bit by bit
    *(("on", 1 + i % 2, name) for i, name in enumerate(("0", *_core.kernels_here()))),
    *(("off", 2 - i % 2, name) for i, name in enumerate(("0", *_core.kernels_here()))),
]


@pytest.fixture(scope="module", params=ENCODERS, ids=str)
def any_encoder(request, device):
    flash_attention, n_threads, kernels = request.param
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HIRED_GGUF_KERNELS", kernels)
        encoder = VisionEncoder(MMPROJ, n_threads=n_threads, flash_attention=flash_attention, device=device)
    with encoder:
        yield encoder


@pytest.fixture
def variant(tmp_path):
    """Makes an encoder of the golden file with something changed."""
    made = []

    def make(**changes):
        made.append(VisionEncoder(rewrite(MMPROJ, tmp_path / f"{len(made)}.gguf", **changes), n_threads=1))
        return made[-1]

    yield make
    for encoder in made:
        encoder.close()


@pytest.fixture(scope="session")
def tiled(encoder):
    """Opens and tiles a golden picture."""
    return lambda name="astronaut": TiledPicture.of(load_image(photo(name)), encoder.info)


@pytest.fixture(scope="session")
def encoded(encoder, tiled):
    """The golden coffee, encoded."""
    return encoder.encode_tiled(tiled("coffee"))


@pytest.fixture
def size(encoded):
    """Its bytes."""
    return sum(getattr(encoded, name).nbytes for name in NAMES)
