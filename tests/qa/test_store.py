"""The output and its journal: what is on the disk counts, and nothing else."""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hired_gguf import OutputError, TokenBudget
from hired_gguf.qa import lines_file
from hired_gguf.qa.lines_file import LinesFile
from hired_gguf.qa.record import FIRST_FIELD, as_line, make_record
from hired_gguf.qa.settings import QaSettings
from hired_gguf.qa.store import Store, require_file
from hired_gguf.qa.task import make_tasks

SETTINGS = QaSettings("model", "mmproj")
TASKS = make_tasks({"image": f"{n}.png", "question": f"question {n}"} for n in range(6))
KEYS = [f"{n:032x}" for n in range(6)]


@pytest.fixture(autouse=True, scope="module")
def hasty():
    """Waiting for the disk is tested by the order of calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_file.os, "fsync", lambda fd: None)
        yield


def record(index, task=None, error=None):
    return make_record(KEYS[index], task or TASKS[index], SETTINGS, error=error)


def ids(path):
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def run(path, order=range(6), *, tasks=TASKS, keys=KEYS, finish=True, errors=(), known=None, **options):
    """Do what `run_batch` does, in this order of work. The tasks that were asked."""
    opening = {"force": options.pop("force", False)}
    asked = []
    with Store(path, options.pop("settings", SETTINGS), **opening) as store:
        options = {"in_order": True, "retry_errors": False, **options}
        kept = store.start(tasks, list(keys), **options)
        for index in order:
            if not kept.has(keys[index]):
                kept.begin(keys[index])
                error = ValueError("no") if index in errors else None
                kept.add(index, make_record(keys[index], tasks[index], SETTINGS, error=error))
                asked.append(index)
        if finish:
            kept.finish()
    return asked


# Order


@pytest.mark.parametrize("order", [range(6), [5, 4, 3, 2, 1, 0], [0, 2, 4, 1, 3, 5]])
def test_records_stand_in_the_tasks_order(tmp_path, order):
    output = tmp_path / "o.jsonl"
    assert run(output, order) == list(order)
    assert ids(output) == [1, 2, 3, 4, 5, 6]
    assert names(tmp_path) == ["o.jsonl"]
    assert run(output) == []
    assert names(tmp_path) == ["o.jsonl"]


def test_or_as_they_were_completed(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, [3, 1, 5, 0, 2, 4], in_order=False)
    assert ids(output) == [4, 2, 6, 1, 3, 5]


def test_a_record_waits_in_the_journal_for_its_turn(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, [0, 2, 3], finish=False)
    assert ids(output) == [1]
    assert names(tmp_path) == ["o.jsonl", "o.jsonl.journal"]
    assert run(output, [5, 4, 3, 2, 1]) == [5, 4, 1]
    assert ids(output) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("in_order", [True, False])
def test_a_run_may_go_on_in_the_other_way(tmp_path, in_order):
    output = tmp_path / "o.jsonl"
    run(output, [4, 0, 2], in_order=not in_order, finish=False)
    assert run(output, in_order=in_order) == [1, 3, 5]
    assert sorted(ids(output)) == [1, 2, 3, 4, 5, 6]
    assert not in_order or ids(output) == [1, 2, 3, 4, 5, 6]


# Other tasks than before


def test_records_of_other_tasks_stay_in_front(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, range(2), tasks=TASKS[:2], keys=KEYS[:2])
    run(output, range(3), tasks=TASKS[2:5], keys=KEYS[2:5])
    assert ids(output) == [1, 2, 3, 4, 5]


def test_a_task_that_came_in_between_gets_its_place(tmp_path):
    output = tmp_path / "o.jsonl"
    few = [0, 2, 4]
    run(output, range(3), tasks=[TASKS[i] for i in few], keys=[KEYS[i] for i in few])
    os.chmod(output, 0o640)
    assert run(output) == [1, 3, 5]
    assert ids(output) == [1, 2, 3, 4, 5, 6]
    assert stat.S_IMODE(output.stat().st_mode) == 0o640


@pytest.mark.parametrize("in_order", [True, False])
def test_an_answer_follows_its_task_to_another_name(tmp_path, in_order):
    output = tmp_path / "o.jsonl"
    run(output)
    renamed = make_tasks({"id": f"new {n}", "image": f"b/{n}.png", "question": "q"} for n in range(6))
    assert run(output, tasks=renamed, in_order=in_order) == []
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(r["id"], r["image"], r["key"]) for r in found] == [
        (f"new {n}", f"b/{n}.png", KEYS[n]) for n in range(6)
    ]


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("interrupted", [True, False])
def test_errors_are_asked_again_when_wanted(tmp_path, in_order, interrupted):
    output = tmp_path / "o.jsonl"
    run(output, errors={1, 4}, in_order=in_order)
    assert run(output, in_order=in_order) == []
    again = {"retry_errors": True, "in_order": in_order}
    if interrupted:
        assert run(output, range(3), finish=False, **again) == [1]
        assert ids(output) == [1, 2, 3, 4, 5, 6]
        assert run(output, **again) == [4]
    else:
        assert run(output, errors={4}, **again) == [1, 4]
        assert run(output, **again) == [4]
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert {r["status"] for r in found} == {"ok"}
    assert sorted(r["id"] for r in found) == [1, 2, 3, 4, 5, 6]
    assert not in_order or ids(output) == [1, 2, 3, 4, 5, 6]


# Attempts


def begin(path, times, index=0, **options):
    for _ in range(times):
        with Store(path, SETTINGS) as store:
            again = options.get("retry_errors", False)
            kept = store.start(TASKS, list(KEYS), in_order=True, retry_errors=again)
            died = kept.died(KEYS[index])
            kept.begin(KEYS[index])
    return died


def test_attempts_that_nothing_ended_count(tmp_path):
    output = tmp_path / "o.jsonl"
    assert [begin(output, 1) for _ in range(3)] == [False, False, True]


def test_attempts_that_were_dropped_do_not_count(tmp_path):
    output = tmp_path / "o.jsonl"
    for _ in range(3):
        with Store(output, SETTINGS) as store:
            kept = store.start(TASKS, list(KEYS), in_order=True, retry_errors=False)
            assert not kept.died(KEYS[0])
            kept.begin(KEYS[0])
            kept.drop(KEYS[0])


def test_a_retry_counts_anew_and_comes_to_an_end(tmp_path):
    """So that a loop of starts with --retry-errors does too."""
    output = tmp_path / "o.jsonl"
    begin(output, 2)
    run(output, [0], errors={0}, finish=False)
    again = {"retry_errors": True}
    assert [begin(output, 1, **again) for _ in range(3)] == [False, False, True]


# Files that are not as they were left


def test_a_torn_end_is_set_aside(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output)
    data = output.read_bytes()
    output.write_bytes(data[:-20])
    assert run(output) == [5]
    assert output.read_bytes() == data
    torn = (tmp_path / "o.jsonl.torn").read_bytes()
    assert torn == data.splitlines()[-1][:-19] + b"\n"


def test_a_torn_journal_is_set_aside(tmp_path):
    output, journal = tmp_path / "o.jsonl", tmp_path / "o.jsonl.journal"
    run(output, [5, 4], finish=False)
    journal.write_bytes(journal.read_bytes()[:-9])
    assert run(output) == [0, 1, 2, 3, 4]
    assert ids(output) == [1, 2, 3, 4, 5, 6]
    assert names(tmp_path) == ["o.jsonl", "o.jsonl.journal.torn"]


@pytest.mark.parametrize("tail", [b"\0" * 512, b'{"id": 7, \0\0\0\0"key"}\n'])
def test_what_a_power_cut_may_leave_is_set_aside(tmp_path, tail):
    output = tmp_path / "o.jsonl"
    run(output)
    data = output.read_bytes()
    output.write_bytes(data + tail)
    assert run(output) == []
    assert output.read_bytes() == data


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"image": "a", "question": "b"}\n', "holds something else than records"),
        (b"[1]\n", "holds something else than records"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1 is not JSON"),
        (b'{"image": "a", "quest', "line 1 is not JSON: hired-gguf did not write this file"),
        (b'{"id": 1, \n{"id": 2', "line 1 is not JSON"),
    ],
)
def test_another_file_is_left_alone(tmp_path, content, said):
    output = tmp_path / "o.jsonl"
    output.write_bytes(content)
    with pytest.raises(OutputError, match=said):
        Store(output, SETTINGS)
    assert output.read_bytes() == content
    assert names(tmp_path) == ["o.jsonl"]


def test_another_journal_is_left_alone(tmp_path):
    journal = tmp_path / "o.jsonl.journal"
    journal.write_text('{"a": 1, "b": 2}\n')
    with pytest.raises(OutputError, match="something else than a journal"):
        Store(tmp_path / "o.jsonl", SETTINGS)
    assert journal.read_text() == '{"a": 1, "b": 2}\n'


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


@pytest.mark.parametrize("in_order", [True, False])
def test_an_output_that_was_lost_comes_back_from_the_journal(tmp_path, in_order):
    output = tmp_path / "o.jsonl"
    run(output, [5, 4, 3, 2, 1], finish=False)
    output.unlink(missing_ok=True)
    assert run(output, in_order=in_order) == [0]
    assert sorted(ids(output)) == [1, 2, 3, 4, 5, 6]
    assert names(tmp_path) == ["o.jsonl"]


# Lock and settings


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
