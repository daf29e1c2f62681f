"""Forged pairs, each loaded and asked in a process of its own kind: none kills it, none answers wrongly.

SECURITY.md takes its numbers from `COUNTS`; the suite prints them as it goes.
"""

from __future__ import annotations

import os
import signal

import pytest
from case_pool import CasePool
from forged_cases import Case, Forgery, mistake
from golden_pair import MMPROJ, TEXT

#: Cases by kind.
COUNTS = {
    "wrong_downloads": 96,
    "truncated": 200,
    "splits": 38,
    "layouts": 21,
    "relatives": 31,
    "keys": 545,
    "numbers": 46,
    "tensors": 790,
    "vocabularies": 17,
    "damage": 200,
}


@pytest.fixture(scope="module")
def pool():
    pool = CasePool()
    yield pool
    pool.close()


def files(case):
    return {"text": str(case.text), "mmproj": str(case.mmproj)}


@pytest.fixture(scope="module")
def sound(pool):
    """What the sound pair answers."""
    return pool.run(files(Case("sound", "answer")))["answer"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", COUNTS)
def test_no_case_kills_or_answers_wrongly(kind, pool, sound, tmp_path):
    before = pool.started
    outcomes = [(case, pool.run(files(case))) for case in getattr(Forgery(tmp_path), kind)()]
    print(f"{kind}: {len(outcomes)} cases, {pool.started - before} deaths")
    assert [wrong for case, outcome in outcomes if (wrong := mistake(case, outcome, sound))] == []
    assert len(outcomes) == COUNTS[kind]


def test_the_sound_pair_still_answers_afterwards(pool, sound):
    assert pool.run(files(Case("sound", "answer"))) == {"answer": sound}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_death_is_noticed_and_the_next_case_has_a_new_process(pool, sound):
    os.kill(pool.child.pid, signal.SIGABRT)
    pool.child.wait()
    assert pool.run({"text": str(TEXT), "mmproj": str(MMPROJ)}) == {"died": "SIGABRT"}
    assert mistake(Case("x", "other"), {"died": "SIGABRT"}, sound)
    assert pool.run(files(Case("sound", "answer"))) == {"answer": sound}
