"""A child process: what it gives back, how it ends, and that it never outlives its parent."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from child_workers import TARGET
from command_line import posix

from hired_gguf import HiredError, ModelFormatError
from hired_gguf.native import watch
from hired_gguf.native.child import Child
from hired_gguf.native.child_errors import ChildDiedError, ChildError, ChildTimeoutError
from hired_gguf.native.watch import Watch

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

linux = pytest.mark.skipif(sys.platform != "linux", reason="what Linux alone can do")


@pytest.fixture(scope="module")
def shared():
    with Child(TARGET) as child:
        yield child


@pytest.fixture
def child():
    with Child(TARGET) as child:
        yield child


# What comes back


@pytest.mark.parametrize("value", [None, {"a": [1, (2.5, "é\udc80")]}, b"x" * (5 << 20)])
def test_objects_go_there_and_back(shared, value):
    assert shared.call("echo", value=value) == value


def test_notes_come_before_the_result(shared):
    notes = []
    assert shared.call("count", on_note=lambda *note: notes.append(note), to=3) == 3
    assert notes == [("counting", 0), ("counting", 1), ("counting", 2)]


def test_what_libraries_print_does_not_get_into_the_way(shared):
    assert shared.call("say", text="something") is None
    assert shared.call("echo", value=1) == 1
    assert shared.call("read_standard_input") == ""


def test_warnings_are_the_parents(shared, caplog):
    with caplog.at_level(logging.WARNING):
        shared.call("warn", text="beware")
        shared.call("echo", value=1)
    assert [record.message for record in caplog.records if record.name == "hired_gguf"] == ["beware"]


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("ours", ModelFormatError, "bad file"),
        ("system", FileNotFoundError, "[Errno 2] No such file: 'a'"),
        ("other", HiredError, "KeyError: 'x'"),
    ],
)
def test_errors_keep_their_type_where_they_were_planned(shared, kind, error, said):
    with pytest.raises(ChildError) as caught:
        shared.call("refuse", kind=kind)
    assert (type(caught.value.error), str(caught.value.error)) == (error, said)
    assert shared.call("echo", value=2) == 2


def test_what_cannot_be_sent_is_an_error(shared):
    with pytest.raises(ChildError, match=r"lambda"):
        shared.call("lambda_")
    with pytest.raises(Exception, match=r"lambda"):
        shared.call("echo", value=lambda: None)
    with pytest.raises(ChildError, match="has no attribute 'fly'"):
        shared.call("fly")
    assert shared.call("echo", value=3) == 3


# Deaths


@posix
@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGILL", "SIGBUS", "SIGFPE"])
def test_a_signal_is_named(child, name):
    for _ in range(2):
        with pytest.raises(ChildDiedError, match=rf"the child process died \({name}\)") as caught:
            child.call("die", name=name)
        assert not caught.value.out_of_memory


def test_an_exit_code_and_the_last_words_are_told(child):
    child.call("say", text="first\nlast words")
    with pytest.raises(ChildDiedError, match=r"the child process died \(exit code 3\): last words"):
        child.call("leave", code=3)


def test_a_child_without_memory_ends_and_says_so(child):
    with pytest.raises(ChildDiedError) as caught:
        child.call("starve", size=1 << 50)
    assert caught.value.out_of_memory


@linux
def test_a_limit_of_memory():
    with Child(TARGET, memory_limit=1 << 30) as child:
        assert child.call("starve", size=100 << 20) == 100 << 20
        with pytest.raises(ChildDiedError) as caught:
            child.call("starve", size=1 << 30)
    assert caught.value.out_of_memory


def test_a_death_between_two_calls(child):
    child.call("echo", value=1)
    os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    with pytest.raises(ChildDiedError):
        child.call("echo", value=b"x" * (5 << 20))


def test_a_program_that_is_not_there(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    with pytest.raises(FileNotFoundError, match="/no/python"):
        Child(TARGET)


# Hangs


@pytest.mark.parametrize("how", ["sleep", "sleep_with_lock"])
def test_a_hang_comes_to_an_end(child, how):
    started = time.monotonic()
    with pytest.raises(ChildTimeoutError, match=r"the child process took longer than 0\.5 s"):
        child.call(how, limit=0.5, seconds=100)
    child.close()
    assert time.monotonic() - started < 20


@posix
def test_a_stopped_child_takes_neither_small_nor_large_requests(child):
    child.call("echo", value=1)
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(ChildTimeoutError):
        child.call("echo", limit=0.5, value=b"x" * (5 << 20))


def test_notes_do_not_put_a_hang_off(child):
    with pytest.raises(ChildTimeoutError):
        child.call("count", limit=0.5, to=10**9)


def test_time_in_which_the_parent_is_stopped_does_not_count(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    heard = []
    waiting = Watch(heard.append, 10)
    for moment in (0.5, 5000.0, 5000.5):
        now[0] = moment
        waiting.look()
    assert heard == [0.5, 1.5, 2.0]


# Parents


@posix
def test_polite_signals_are_the_parents_alone(shared):
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        assert shared.call("is_ignored", name=name)
    assert os.getpgid(shared.pid) != os.getpgid(0)


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] in "ZX"
    except FileNotFoundError:
        return True


PARENT = """
import sys
from hired_gguf.native.child import Child
child = Child("child_workers:Worker")
child.call("echo", value=1)
print(child.pid, flush=True)
child.send(sys.argv[1], **({"seconds": 1000} if sys.argv[1] != "echo" else {"value": 1}))
sys.stdin.read()
"""


@pytest.mark.slow
@linux
@pytest.mark.parametrize("doing", ["echo", "sleep", "sleep_with_lock"])
@pytest.mark.parametrize("stopped", [False, True])
def test_no_child_outlives_a_killed_parent(doing, stopped):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, doing],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.2)
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
    wait_until(lambda: is_gone(pid))


def wait_until(what, seconds=5):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_child_ends_with_its_parents_end_of_the_pipe(child):
    child.call("echo", value=1)
    child._process.stdin.close()
    assert child._process.wait(timeout=20) == 0


def test_a_child_does_not_end_with_the_thread_that_made_it():
    made = []
    thread = threading.Thread(target=lambda: made.append(Child(TARGET)))
    thread.start()
    thread.join()
    with made[0] as child:
        time.sleep(0.3)
        assert child.call("echo", value=1) == 1


@linux
def test_nothing_is_left_of_many_children():
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    before, threads = descriptors(), threading.active_count()
    for _ in range(5):
        with Child(TARGET) as child:
            pid = child.pid
    assert is_gone(pid)
    assert (descriptors(), threading.active_count()) == (before, threads)
