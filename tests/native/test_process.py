"""Forks: what a child may do with the native side, and what it is told where it may not."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from paths import ROOT

DRIVER = ROOT / "tests" / "support" / "fork_driver.py"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")]


@pytest.fixture
def scene(tiny):
    def play(name):
        command = [sys.executable, str(DRIVER), str(tiny[0]), str(tiny[1]), name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return play


def is_refused(said):
    """Whether that is the error, naming both processes and the way out."""
    kind, text = said
    return (
        kind == "ForkError"
        and "was forked from one (" in text
        and 'multiprocessing.get_context("spawn")' in text
        and "or fork before the first question" in text
    )


@pytest.mark.slow
def test_a_fork_before_the_first_question_works(scene):
    assert scene("before") == {
        "load and ask": 3,
        "ask what the parent loaded": 3,
        "ask twice": [3, 3, 3],
        "a child of the child": 3,
        "the parent": 3,
    }


@pytest.mark.slow
def test_a_fork_after_it_is_refused_at_every_entry(scene):
    found = scene("after")
    assert (found.pop("close"), found.pop("the parent")) == ("closed", 3)
    assert len(found) == 11
    assert {name: said for name, said in found.items() if not is_refused(said)} == {}


@pytest.mark.parametrize("name", ["encoded", "elsewhere"])
def test_other_work_counts_as_a_question(scene, name):
    ((_, said),) = scene(name).items()
    assert is_refused(said)


def test_on_one_thread_a_fork_can_go_on(scene):
    assert scene("one_thread") == {"the parent": 3, "ask": 3, "again": 3}


def test_a_fork_during_another_threads_question(scene):
    found = scene("under_way")
    assert is_refused(found.pop("ask"))
    assert found == {"close": [None, True], "the parent": 3, "later": 3}


@pytest.mark.slow
def test_pools_of_processes(scene):
    found = scene("multiprocessing_way")
    assert is_refused(found["fork"])
    assert found["spawn"] == 3


@pytest.mark.slow
def test_a_child_can_end(scene):
    assert scene("exits") == {"code": 7, "the parent": 3}


def test_the_guard_costs_nothing_that_one_could_measure(scene):
    assert scene("cost")["us"] < 50  # a token takes milliseconds
