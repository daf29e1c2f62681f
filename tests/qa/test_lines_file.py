"""A file of lines: what is on the disk counts, and a torn end does not."""

from __future__ import annotations

import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_runs import record

from hired_gguf.qa import lines_file
from hired_gguf.qa.lines_file import LinesFile
from hired_gguf.qa.record import FIRST_FIELD, as_line


def test_a_record_counts_when_the_disk_has_it(tmp_path, monkeypatch):
    """A new file's name is synced, then each line after it is written whole."""
    calls = []
    write = os.write
    monkeypatch.setattr(lines_file.os, "write", lambda fd, data: calls.append("write") or write(fd, data))
    monkeypatch.setattr(
        lines_file.os,
        "fsync",
        lambda fd: calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"),
    )
    file = LinesFile(tmp_path / "o.jsonl", (FIRST_FIELD,))
    for index in range(2):
        file.append(record(index))
    file.close()
    assert calls == ["folder", "write", "file", "write", "file"]


def test_a_short_write_goes_on(tmp_path, monkeypatch):
    file = LinesFile(tmp_path / "o.jsonl", (FIRST_FIELD,))
    write = os.write
    monkeypatch.setattr(lines_file.os, "write", lambda fd, data: write(fd, data[:5]))
    place = file.append(record(0))
    assert file.read(place) == as_line(record(0)) == (tmp_path / "o.jsonl").read_bytes()
    file.close()


@pytest.mark.usefixtures("hasty")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.text() | st.integers(), st.text() | st.none()), max_size=5),
    st.data(),
)
def test_a_cut_file_keeps_its_whole_lines(tmp_path, pairs, data):
    values = [{"id": first, "text": second} for first, second in pairs]
    path = tmp_path / "x.jsonl"
    path.unlink(missing_ok=True)
    (tmp_path / "x.jsonl.torn").unlink(missing_ok=True)
    file = LinesFile(path, (FIRST_FIELD,))
    ends = [sum(file.append(value)) for value in values]
    file.close()
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])

    file = LinesFile(path, (FIRST_FIELD,))
    whole = sum(end <= cut for end in ends)
    assert [value for _, value in file.scan()] == values[:whole]
    file.close()
    kept = path.read_bytes()
    torn = tmp_path / "x.jsonl.torn"
    assert content.startswith(kept)
    assert kept + (torn.read_bytes().rstrip(b"\n") if torn.exists() else b"") == content[:cut]
