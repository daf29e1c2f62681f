"""What the worker process of `hired-gguf qa` costs where nothing crashes: start, and time a task.

`python benchmarks/isolation.py [--rounds 7] [--tasks 100 600] [--threads 1]`

The built-in model answers drawn tasks from the command line, by turns with and without a worker. Two sizes of
the run part the start, which is paid once, from what each task costs. Medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from hired_gguf.evaluation.builtin_tasks import builtin_pictures

WAYS = ("--no-isolate", "--isolate")


def write_tasks(folder, count):
    """Draws the pictures; returns the lines of a task file."""
    lines = []
    for index, picture in enumerate(builtin_pictures(count, seed=5)):
        picture.load().save(folder / f"{index}.png")
        lines += [
            json.dumps({"image": str(folder / f"{index}.png"), "question": q.text}) for q in picture.questions
        ]
    return lines


def run(folder, tasks, way, threads):
    """Wall and CPU seconds of one run."""
    output = folder / "answers.jsonl"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "hired_gguf", "qa", "--input", str(tasks), "--output", str(output)]
    before, started = os.times(), time.perf_counter()
    subprocess.run([*command, way, "--threads", str(threads)], check=True, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, os.times()
    assert all(json.loads(line)["error"] is None for line in output.read_text().splitlines())
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def main(options):
    """Print a table."""
    few, many = options.tasks
    found = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = write_tasks(folder, many)
        files = {}
        for count in (few, many):
            files[count] = folder / f"{count}.jsonl"
            files[count].write_text("\n".join(lines[:count]) + "\n")
        for number in range(options.rounds):
            for count, tasks in files.items():
                for way in WAYS if number % 2 else WAYS[::-1]:
                    found.setdefault((way, count), []).append(run(folder, tasks, way, options.threads))
    for kind, column in (("wall", 0), ("CPU", 1)):
        slopes, starts = {}, {}
        for way in WAYS:
            small, large = (median(row[column] for row in found[way, count]) for count in (few, many))
            slopes[way] = (large - small) / (many - few)
            starts[way] = small - few * slopes[way]
            print(f"{kind:4} {way:13} {few} tasks {small:6.2f} s, {many} tasks {large:6.2f} s", end="; ")
            print(f"start {starts[way]:5.2f} s, {slopes[way] * 1000:6.2f} ms a task")
        pairs = [b[column] / a[column] for a, b in zip(*(found[w, many] for w in WAYS), strict=True)]
        print(f"{kind:4} a task with the worker: {slopes[WAYS[1]] / slopes[WAYS[0]]:.3f} times;", end=" ")
        print(f"whole runs of {many}: {median(pairs):.3f} ({min(pairs):.3f} to {max(pairs):.3f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tasks", type=int, nargs=2, default=(100, 600))
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args())
