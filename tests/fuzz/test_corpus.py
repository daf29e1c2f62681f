"""Every committed input once more, and that the harness itself finds what it is there to find."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import time

import numpy as np
import pytest
from fuzzing.target import CORPUS, Target
from paths import ROOT

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

RUN = ROOT / "tests" / "fuzz" / "run.py"
RUNNER = runpy.run_path(str(RUN))
MOST_BYTES = 300_000


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(RUN), *arguments], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNER["PYTHON"])
def test_no_committed_input_breaks_its_target(name):
    ended = run("--replay", name)
    inputs = len(list((CORPUS / name).iterdir()))
    assert ended.stdout.startswith(f"{name}: {inputs} inputs of the repository, tried once\n"), ended.stdout
    assert ended.returncode == 0, ended.stdout
    assert inputs >= 5


def test_the_corpus_is_small_and_every_folder_has_its_target():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.name for path in CORPUS.iterdir()} == set(RUNNER["TARGETS"])
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_a_run_that_cannot_start_says_what_helps(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "pip install atheris==" in RUNNER["lacks"]("images", False)
    assert RUNNER["lacks"]("images", True) == ""
    assert "apt-get install clang" in RUNNER["lacks"]("core", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["pictures"],
            "TARGET is 'pictures'; allowed: images, data_urls, messages, tasks, templates, gguf, core",
        ),
        (["--seconds", "0"], "--seconds is 0; at least 1 is needed"),
    ],
)
def test_wrong_arguments(arguments, said):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert said in " ".join(ended.stderr.split())


def target(run, **options):
    return Target("broken", run, (ValueError,), 1, **{"seconds": 0.2, "megabytes": 32, **options})


def raising(error):
    def run(_data):
        raise error

    return run


def busy(_data):
    end = time.process_time() + 0.4
    while time.process_time() < end:
        pass


def greedy(_data):
    np.ones(64 << 20, np.uint8)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (busy, "broken took 0.4 s of 0.2 s"),
        (greedy, r"broken took \d+ MB of 32 MB"),
        (
            raising(UnicodeDecodeError("utf-8", b"", 0, 1, "a")),
            "UnicodeDecodeError is not what broken documents",
        ),
        (raising(ValueError()), "a message of 0 characters"),
        (raising(ValueError("x" * 5000)), "a message of 5000 characters"),
        (raising(ValueError("<a at 0x7f0012345678>")), "an address in the message"),
    ],
)
def test_what_breaks_the_property_is_found(run, said):
    if "MB" in said and not (ROOT / "/proc/self/clear_refs").exists():
        pytest.skip("the peak of memory cannot be measured here")
    with pytest.raises(AssertionError, match=said):
        target(run).check(b"")


def test_other_errors_come_out_as_they_are():
    with pytest.raises(KeyError):
        target(raising(KeyError("a"))).check(b"")
    with pytest.raises(UnicodeEncodeError):
        target(raising(ValueError("\ud800"))).check(b"")
    target(raising(ValueError("a"))).check(b"")
    target(lambda data: None).check(b"")


def test_the_harness_of_the_core_is_in_the_gate():
    gate = (ROOT / ".ci" / "run").read_text()
    seconds = {
        name: int(n)
        for n, names in re.findall(r"run\.py --seed 1 --seconds (\d+) (.*)", gate)
        for name in names.split()
    }
    assert set(seconds) == set(RUNNER["TARGETS"])
    assert sum(seconds.values()) <= 240
