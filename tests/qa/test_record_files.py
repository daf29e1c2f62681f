"""The output and its journal as an earlier run left them, or as they should not be."""

from __future__ import annotations

import pytest
from store_runs import KEYS, SETTINGS, TASKS, ids, names, run

from hired_gguf import OutputError
from hired_gguf.qa.store import Store

pytestmark = pytest.mark.usefixtures("hasty")


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


@pytest.mark.parametrize("in_order", [True, False])
def test_an_output_that_was_lost_comes_back_from_the_journal(tmp_path, in_order):
    output = tmp_path / "o.jsonl"
    run(output, [5, 4, 3, 2, 1], finish=False)
    output.unlink(missing_ok=True)
    assert run(output, in_order=in_order) == [0]
    assert sorted(ids(output)) == [1, 2, 3, 4, 5, 6]
    assert names(tmp_path) == ["o.jsonl"]
