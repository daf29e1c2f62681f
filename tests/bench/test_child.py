"""A child process that measures: its death, its errors, its end."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest
from command_line import posix

from hired_gguf.bench.engine import EngineSettings
from hired_gguf.bench.worker import TARGET
from hired_gguf.native import watch
from hired_gguf.native.child import Child
from hired_gguf.native.child_errors import ChildError


def settings_of(pair, **changes):
    return replace(EngineSettings(str(pair[0]), str(pair[1]), 0.25, 512, 1, 0), **changes)


@posix
def test_a_child_that_dies_is_reported_with_its_signal():
    with Child(TARGET) as child:
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildError, match=r"the child process died \(SIGKILL\)"):
            child.call("probe", settings={})


def test_a_childs_error_is_the_parents(tiny, monkeypatch):
    monkeypatch.setattr(watch, "TICK_S", 0.001)
    ticks = []
    with Child(TARGET) as child:
        with pytest.raises(ChildError, match="nothing is loaded"):
            child.call("ask", ticks.append, image="a.png", question="?", max_tokens=1)
        with pytest.raises(ChildError, match=r"missing\.gguf"):
            child.call("load", engine="ours", settings=settings_of(tiny, model="missing.gguf"))
        with pytest.raises(ChildError, match="KeyError"):
            child.call("load", engine="theirs", settings=settings_of(tiny))
    assert ticks
    assert ticks == sorted(ticks)
