"""What tests of many questions share."""

from __future__ import annotations

import pytest

from hired_gguf.qa import lines_file


@pytest.fixture
def write(tmp_path):
    """Writes a file; its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


@pytest.fixture
def hasty(monkeypatch):
    """Nobody waits for the disk: test_lines_file.py tests the order of calls."""
    monkeypatch.setattr(lines_file.os, "fsync", lambda fd: None)
