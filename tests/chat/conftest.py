"""What tests of the chat handler share."""

from __future__ import annotations

import pytest
from bare_handler import words


@pytest.fixture
def fresh(new_llama):
    """The greedy answer of a context that nobody has used."""
    return lambda messages, **options: words(new_llama(), messages, **options)
