"""The journal's lock: one run at a time."""

from __future__ import annotations

import pytest
from store_runs import SETTINGS

from hired_gguf import OutputError
from hired_gguf.qa.lines_file import LinesFile
from hired_gguf.qa.store import Store

pytestmark = pytest.mark.usefixtures("hasty")


def test_one_run_at_a_time(tmp_path):
    output = tmp_path / "o.jsonl"
    with (
        Store(output, SETTINGS),
        pytest.raises(OutputError, match=r"o\.jsonl is being written by another run"),
    ):
        Store(output, SETTINGS)
    Store(output, SETTINGS).close()


def test_a_lock_on_a_deleted_journal_is_none(tmp_path, monkeypatch):
    """Another run may finish, and delete its journal, between our opening and our locking it."""
    output = tmp_path / "o.jsonl"
    opened = []
    real = LinesFile.__init__

    def meanwhile(self, path, starts):
        real(self, path, starts)
        opened.append(path.name)
        if len(opened) == 1:
            path.unlink()

    monkeypatch.setattr(LinesFile, "__init__", meanwhile)
    with Store(output, SETTINGS):
        assert opened == ["o.jsonl.journal", "o.jsonl.journal", "o.jsonl"]
        assert (tmp_path / "o.jsonl.journal").exists()
