"""Good files to spoil."""

from __future__ import annotations

import pytest
from gguf_forge import Forge, good_text
from mmproj_forge import GOOD


@pytest.fixture
def forge() -> Forge:
    """A mmproj."""
    return GOOD.copy()


@pytest.fixture
def text() -> Forge:
    """A language model."""
    return good_text()
