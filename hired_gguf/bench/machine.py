"""The machine that a benchmark ran on."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..native import cpu, waiting
from ..native.kernels import kernels_used
from ..native.load import core


def machine(threads: int) -> dict[str, Any]:
    """What the numbers depend on. ``memory_bytes`` and ``load`` are None where they are not known."""
    packages = ("hired-gguf", "llama-cpp-python", "numpy", "pillow")
    return {
        "processor": cpu.processor(),
        "cores": physical_cores(),
        "threads": threads,
        "memory_bytes": memory(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "commit": commit(),
        "cpu_features": cpu.built_features(),
        "kernels": kernels_used(),
        "waiting": asdict(waiting.in_force),
        "gpus": [f"{device.name}: {device.description}" for device in core.list_devices() if device.gpu],
        "libraries": "LLAMA_CPP_LIB_PATH" if os.environ.get("LLAMA_CPP_LIB_PATH") else "llama-cpp-python's",
    }


def busy(facts: dict[str, Any]) -> str:
    """A warning if other programs use the machine: llama.cpp's threads then wait for one another."""
    load, cores = facts["load"] or 0.0, facts["cores"]
    if load < cores / 3:
        return ""
    return f"this machine is busy (load {load:.1f} on {cores} cores): times will be too long, and vary"


def physical_cores() -> int:
    """Cores that this process may use; on Linux the threads of one core count once."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    topology = Path("/sys/devices/system/cpu")
    try:
        names = ("physical_package_id", "core_id")
        return len(
            {
                tuple((topology / f"cpu{cpu}" / "topology" / name).read_text() for name in names)
                for cpu in usable
            }
        )
    except OSError:
        return len(usable)


def memory() -> int | None:
    """Bytes of main memory."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def commit() -> str | None:
    """The commit of the source that runs, "-dirty" if changed, if it lies in its own git clone."""
    package = Path(__file__).parents[1]
    try:
        top = _git(package, "rev-parse", "--show-toplevel")
        known = Path(top) == package.parent and _git(package, "ls-files", "__init__.py")
        return _git(package, "describe", "--always", "--dirty", "--abbrev=12") if known else None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
