"""The document of results is written whole or not at all."""

from __future__ import annotations

import os

import pytest

from hired_gguf.bench.results import write_whole


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    write_whole(path, "old")
    with pytest.raises(TypeError):
        write_whole(path, None)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]
