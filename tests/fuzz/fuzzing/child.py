"""One target in a process of its own: `python -m fuzzing.child TARGET FILE...` tries files, and
`python -m fuzzing.child --atheris TARGET OPTION...` fuzzes with libFuzzer's options.
"""

from __future__ import annotations

import faulthandler
import importlib
import random
import sys
from pathlib import Path

from .target import scratch

#: Atheris' instrumentation slows Python down, and the machine is busy.
SLOWER_WHEN_WATCHED = 5.0
INSTRUMENTED = ("hired_gguf", "jinja2", "PIL")


def replay(name: str, files: list[str]) -> None:
    """Each file's property holds; the first that fails is named."""
    target = _target(name)
    for file in files:
        try:
            target.check(Path(file).read_bytes())
        except BaseException:
            print(f"{name}: the property does not hold for {file}", file=sys.stderr, flush=True)
            raise
    print(f"{name}: {len(files)} inputs")


def fuzz(name: str, options: list[str]) -> None:
    """Until an option of libFuzzer or a failure ends it; never returns."""
    import atheris  # noqa: PLC0415  its import hook must stand before ours

    with atheris.instrument_imports(include=list(INSTRUMENTED), enable_loader_override=False):
        target = _target(name)

    def mutator(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if target.mutate and rng.random() < 0.6:
            changed = target.mutate(data, rng)
        else:
            changed = atheris.Mutate(data, len(data))
        return (target.repair(changed) if target.repair and rng.random() < 0.8 else changed)[:max_size]

    own = {"custom_mutator": mutator} if target.mutate or target.repair else {}
    words = scratch() / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    options = [f"-dict={words}", f"-max_len={target.max_length}", *options]
    atheris.Setup(["fuzz", *options], lambda data: target.check(data, SLOWER_WHEN_WATCHED), **own)
    atheris.Fuzz()


def _escaped(word: str | bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in (word if isinstance(word, bytes) else word.encode()))


def _target(name: str):
    return importlib.import_module(f"fuzzing.{name}").TARGET


if __name__ == "__main__":
    faulthandler.enable()
    if sys.argv[1] == "--atheris":
        fuzz(sys.argv[2], sys.argv[3:])
    replay(sys.argv[1], sys.argv[2:])
