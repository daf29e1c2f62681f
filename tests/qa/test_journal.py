"""The journal's lock: one run at a time."""

from __future__ import annotations

import errno
import os

import pytest
from store_runs import SETTINGS, names, run

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


@pytest.mark.skipif(os.name != "posix", reason="flock")
@pytest.mark.parametrize("name", ["ENOTSUP", "EINVAL", "ENOSYS", "ENOLCK", "EPERM"])
def test_a_file_system_without_locks(tmp_path, monkeypatch, caplog, name):
    """Network shares: there is an answer, and a word about what can go wrong."""
    number = getattr(errno, name)

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    assert [run(tmp_path / "o.jsonl") for _ in range(2)] == [[0, 1, 2, 3, 4, 5], []]
    assert names(tmp_path) == ["o.jsonl"]
    (said,) = [entry.getMessage() for entry in caplog.records]
    assert said.startswith(f"the file system of {tmp_path} cannot lock a file, so do not start a second run")


@pytest.mark.skipif(os.name != "posix", reason="flock")
def test_a_lock_that_fails_otherwise_is_an_error(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(OSError, match="Input/output error"):
        Store(tmp_path / "o.jsonl", SETTINGS)


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
