"""What a target is, and the property of all: a return or a typed error, in bounded time and memory."""

from __future__ import annotations

import random
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"
MOST_WORDS = 4000  # characters of a message
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")


def scratch() -> Path:
    """A folder of this process; `run.py` removes it."""
    return Path(tempfile.mkdtemp(prefix="hired-gguf-fuzz-"))


@dataclass(frozen=True)
class Target:
    """One reader of foreign input. ``run`` may raise ``errors``, exactly these types, and nothing else."""

    name: str
    run: Callable[[bytes], None]
    errors: tuple[type[Exception], ...]
    max_length: int
    """Bytes of an input that the fuzzer makes."""
    seconds: float = 2.0
    """Of the processor, for one input."""
    megabytes: int = 128
    """That one input may add to the memory of the process."""
    words: tuple[str | bytes, ...] = ()
    """What the fuzzer may put together: keys, keywords, magics."""
    mutate: Callable[[bytes, random.Random], bytes] | None = None
    """Makes another input from one, by the rules of its format."""
    repair: Callable[[bytes], bytes] | None = None
    """Makes the checksums right again of what the fuzzer changed."""

    @property
    def corpus(self) -> Path:
        """Inputs in the repository: seeds, and each one that once failed."""
        return CORPUS / self.name

    def check(self, data: bytes, slower: float = 1.0) -> None:
        """Raise AssertionError, or what `run` raised, where the property does not hold."""
        before = _memory("VmRSS") if _forget_peak() else None
        start = time.process_time()
        error = self._error(data)
        seconds = time.process_time() - start
        assert seconds <= self.seconds * slower, f"{self.name} took {seconds:.1f} s of {self.seconds:g} s"
        if before is not None:
            added = (_memory("VmHWM") - before) >> 20
            assert added <= self.megabytes, f"{self.name} took {added} MB of {self.megabytes} MB"
        if error is not None:
            assert type(error) in self.errors, f"{type(error).__name__} is not what {self.name} documents"
            _check_text(str(error))

    def _error(self, data: bytes) -> Exception | None:
        try:
            self.run(data)
        except self.errors as error:
            return error
        return None


def _check_text(text: str) -> None:
    """Of a message: there is one, it is short, it can be printed and tells no place in memory."""
    assert 0 < len(text) <= MOST_WORDS, f"a message of {len(text)} characters"
    assert not ADDRESS.search(text), f"an address in the message: {text}"
    text.encode()


def _forget_peak() -> bool:
    """Let the kernel count the peak of memory anew; False where it cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"^{field}:\s*(\d+) kB", status, re.MULTILINE)[1]) << 10
