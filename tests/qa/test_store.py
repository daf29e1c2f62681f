"""The store as a whole: where it may write, with which settings, and disks that fail."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

import pytest
from store_runs import KEYS, SETTINGS, TASKS, ids, names, run

from hired_gguf import OutputError, TokenBudget
from hired_gguf.qa import lines_file
from hired_gguf.qa.settings import QaSettings
from hired_gguf.qa.store import Store, require_file

pytestmark = pytest.mark.usefixtures("hasty")


# Files that are not as they were left


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="is not a regular file"):
        Store(tmp_path, SETTINGS)
    with pytest.raises(OutputError, match="there is no folder"):
        Store(tmp_path / "none" / "o.jsonl", SETTINGS)
    (tmp_path / "in.jsonl").touch()
    (tmp_path / "link.jsonl").symlink_to("in.jsonl")
    with pytest.raises(OutputError, match="is an input of the same run"):
        require_file(tmp_path / "link.jsonl", [tmp_path / "none", tmp_path / "in.jsonl"])


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "o.jsonl"
    link.symlink_to("there/real.jsonl")
    run(link, errors={0})
    run(link, retry_errors=True)
    assert link.is_symlink()
    assert ids(tmp_path / "there" / "real.jsonl") == [1, 2, 3, 4, 5, 6]


def test_nothing_is_left_of_a_run_that_did_nothing(tmp_path):
    Store(tmp_path / "o.jsonl", SETTINGS).close()
    assert names(tmp_path) == []


# Lock and settings


def test_other_settings_are_refused(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, [0], finish=False)
    other = QaSettings("model", "mmproj", TokenBudget(0.4), system="Be brief.")
    with pytest.raises(OutputError) as caught:
        Store(output, other)
    assert 'budget was 0.2 and is 0.4; system was null and is "Be brief."' in str(caught.value)
    with Store(output, other, force=True) as store:
        assert store.resumed
    assert ids(output) == [1]


# Disks


class Disk:
    """Lets the n-th write or fsync fail, a write half-way."""

    def __init__(self, monkeypatch, fail_at):
        self.calls, self.fail_at = 0, fail_at
        self.write, self.fsync = os.write, os.fsync
        monkeypatch.setattr(lines_file.os, "write", self._write)
        monkeypatch.setattr(lines_file.os, "fsync", self._fsync)

    def _next(self):
        self.calls += 1
        return self.calls == self.fail_at

    def _write(self, fd, data):
        if self._next():
            self.write(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "full")
        return self.write(fd, data)

    def _fsync(self, fd):
        if self._next():
            raise OSError(errno.EIO, "broken")
        self.fsync(fd)


@pytest.mark.parametrize("again", [False, True])
def test_every_write_may_fail(tmp_path, monkeypatch, again):
    """Also those of a run that ends with another file in place of the output."""
    whole, order, few = tmp_path / "whole.jsonl", [0, 3, 2, 1], {"tasks": TASKS[:4], "keys": KEYS[:4]}
    run(whole, order, **few)
    for fail_at in range(1, 100):
        output = tmp_path / f"{fail_at}.jsonl"
        if again:
            run(output, order, errors={1}, **few)
        before = output.read_bytes() if again else b""
        with monkeypatch.context() as patch:
            disk = Disk(patch, fail_at)
            failed = True
            with suppress(OSError):
                run(output, order, retry_errors=again, **few)
                failed = False
        assert failed == (disk.calls >= fail_at)
        found = output.read_bytes() if output.exists() else b""
        assert found == before or whole.read_bytes().startswith(found)
        assert found.endswith(b"\n") or not found
        run(output, order, retry_errors=again, **few)
        assert output.read_bytes() == whole.read_bytes()
        if not failed:
            break
    assert fail_at > (6 if again else 12)
