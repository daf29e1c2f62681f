"""What a benchmark knows of other processes while it measures."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from bench_runs import a_document, a_run

from hired_gguf.bench import neighbours, report


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc/stat")
def test_others_count_and_this_process_does_not():
    """A busy machine can only make both higher, up to all cores."""
    alone = []
    for _ in range(3):
        watch = neighbours.Neighbours()
        spin(0.5)
        alone.append(watch.cores())
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        time.sleep(0.2)
        watch = neighbours.Neighbours()
        time.sleep(0.7)
        beside = watch.cores()
        busy.kill()
    assert beside > 0.5
    assert all(0 <= cores < beside + 1 for cores in alone)


def test_too_short_to_tell():
    assert neighbours.Neighbours().cores() is None


def test_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.delattr(neighbours.os, "sched_getaffinity", raising=False)
    watch = neighbours.Neighbours()
    time.sleep(0.3)
    assert watch.cores() is None


def test_the_report_says_when_the_machine_was_busy():
    runs = [a_run(others_cores=cores) for cores in (0.0, None, 0.94, 0.25, 0.1)]
    said = report.make_report(a_document(runs=runs, probes={"q4_0": {"others_cores": 0.3}})).as_text()
    assert "BUSY: other processes used up to 0.9 cores during 3 of 5 measurements: their seconds" in said
    for quiet in (0.0, 0.19, None):
        runs = [a_run(others_cores=quiet)]
        assert "BUSY" not in report.make_report(a_document(runs=runs)).as_text()
