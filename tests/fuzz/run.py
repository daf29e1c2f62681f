#!/usr/bin/env python3
"""Fuzz what reads foreign input: `tests/fuzz/run.py`, or for a night `tests/fuzz/run.py --seconds 3600`.

The targets take their seconds one after another. Python's need Atheris (`pip install '.[fuzz]'`), the target
`core` needs clang with its libFuzzer. What a run learns stays in build/fuzz/found. So does the input that
failed, and its message: put that input into tests/fuzz/corpus/TARGET, where the test suite finds it, and mend
the cause.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOUND = ROOT / "build" / "fuzz" / "found"
CORE = ROOT / "build" / "fuzz" / "tests" / "cpp" / "fuzz" / "core_fuzz"
PYTHON = ("images", "data_urls", "messages", "tasks", "templates", "gguf")
TARGETS = (*PYTHON, "core")
TIMEOUT = 60  # seconds of one input: instrumented, on a busy machine
MEGABYTES = 2048
SHOWN = 40  # lines of a log


def main() -> int:
    """Run the chosen targets; the exit code is 1 where one failed, 2 where one cannot run here."""
    options = parse()
    if missing := {need: None for name in options.targets if (need := lacks(name, options.replay))}:
        print("\n".join(missing), file=sys.stderr)
        return 2
    if "core" in options.targets:
        build_core()
    failed = [name for name in options.targets if not run(name, options)]
    print(f"failed: {', '.join(failed)}" if failed else f"no failure: {', '.join(options.targets)}")
    return int(bool(failed))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if none")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same one tries the same inputs first (default: a random one)"
    )
    parser.add_argument(
        "--replay", action="store_true", help="try the inputs of the repository, and no others"
    )
    options = parser.parse_args()
    options.targets = options.targets or list(TARGETS)
    if wrong := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"TARGET is {wrong[0]!r}; allowed: {', '.join(TARGETS)}")
    if options.seconds < 1:
        parser.error(f"--seconds is {options.seconds}; at least 1 is needed")
    return options


def lacks(name: str, replay: bool) -> str:
    """What is missing here for a target, with the remedy; empty if nothing is."""
    if name == "core" and not shutil.which("clang++"):
        return "'core' needs clang: apt-get install clang, and libclang-rt-N-dev for the N of clang --version"
    if name != "core" and not replay and not importlib.util.find_spec("atheris"):
        return f"'{name}' needs Atheris: pip install atheris==3.0.0 (Linux, Python 3.11 to 3.13)"
    return ""


def build_core() -> None:
    """The harness of C++, by the preset `fuzz`."""
    for command in (["cmake", "--preset", "fuzz"], ["cmake", "--build", "--preset", "fuzz"]):
        built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if built.returncode:
            sys.exit(f"{built.stdout}{built.stderr}failed: {' '.join(command)}")


def run(name: str, options: argparse.Namespace) -> bool:
    """Whether a target found nothing."""
    seeds = sorted(map(str, (HERE / "corpus" / name).iterdir()))
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as scratch:
        found = Path(scratch) if options.replay else FOUND / name
        (found / "corpus").mkdir(parents=True, exist_ok=True)
        command = replaying(name, seeds) if options.replay else fuzzing(name, options, found)
        with (found / "log").open("wb") as log:
            where = {"env": environment(scratch), "cwd": scratch}
            ended = subprocess.run(command, stdout=log, stderr=log, check=False, **where)
        lines = (found / "log").read_text(errors="replace").splitlines()
    print(f"{name}: {len(seeds)} inputs of the repository, {summary(lines, options)}", flush=True)
    if ended.returncode:
        print(
            "\n".join([*lines[-SHOWN:], f"{name}: exit code {ended.returncode}; all in {found}"]), flush=True
        )
    return not ended.returncode


def replaying(name: str, seeds: list[str]) -> list[str]:
    """The command that tries inputs once."""
    return [str(CORE), *seeds] if name == "core" else [sys.executable, "-m", "fuzzing.child", name, *seeds]


def fuzzing(name: str, options: argparse.Namespace, found: Path) -> list[str]:
    """The command that fuzzes: from both folders of inputs, new ones go into the first."""
    start = [str(CORE), "-max_len=1024"]
    if name != "core":
        start = [sys.executable, "-m", "fuzzing.child", "--atheris", name]
    limits = [f"-max_total_time={options.seconds}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEGABYTES}"]
    limits.append(f"-seed={options.seed}")
    return [
        *start, *limits, f"-artifact_prefix={found}/", "-print_final_stats=1",
        str(found / "corpus"), str(HERE / "corpus" / name),
    ]  # fmt: skip


def environment(scratch: str) -> dict[str, str]:
    """With our package of targets on Python's path, and scratch files in memory."""
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "TMPDIR": scratch}


def summary(lines: list[str], options: argparse.Namespace) -> str:
    """How many inputs libFuzzer tried."""
    units = [line.split()[-1] for line in lines if line.startswith("stat::number_of_executed_units")]
    return f"{units[-1]} tried in {options.seconds} s" if units else "tried once"


if __name__ == "__main__":
    sys.exit(main())
