"""What tests of evaluation share."""

from __future__ import annotations

import pytest


@pytest.fixture
def fresh(llm):
    """The shared model without any image in its cache."""
    llm.handler._cache.clear()
    return llm
