"""What ``hired-gguf doctor`` looks for: builds of llama-cpp-python that crash or idle on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import HiredError, InputError
from ..model_files.mmproj import read_mmproj
from ..model_files.pair import read_text_model
from ..native import amx_crash, cpu, waiting
from ..native.kernels import KERNELS_VARIABLE, kernels_used
from .doctor_finding import Finding
from .doctor_gpu import idle_gpu


def problems() -> list[Finding]:
    """What stops hired-gguf from working."""
    return [found for found in (crash_with_amx(), bad_kernels()) if found]


def advice() -> list[Finding]:
    """What would make it faster."""
    return [found for found in (idle_gpu(), plain_build(), late_variable()) if found]


def unknown_variables(names: list[str]) -> Finding:
    """Environment variables whose names look like options but are not."""
    return Finding(
        f"these environment variables are no options, and are ignored: {', '.join(names)}",
        "Check the spelling: docs/options.md has the names.",
    )


def bad_models(options: Mapping[str, Any]) -> list[Finding]:
    """Model files, named by options of a file or the environment, that cannot be used."""
    found = []
    for name, read in (("model", read_text_model), ("mmproj", read_mmproj)):
        if name in options:
            try:
                read(options[name]["value"])
            except (HiredError, OSError) as error:
                origin = options[name]["origin"]
                found.append(Finding(str(error), f"Give another file: the option {name} is from {origin}."))
    return found


def crash_with_amx() -> Finding | None:
    """A build whose AMX code kills the process."""
    try:
        died = amx_crash.crash()
    except OSError as error:
        return Finding(
            f"the test for crashes with AMX could not run: {error}",
            "It writes 2 MB to the folder for temporary files: make room there, or set TMPDIR to another.",
        )
    if died is None:
        return None
    return Finding(
        f"llama-cpp-python crashes ({died}) on this CPU when a quantised language model (Q8_0, Q4_0, ...) "
        "reads a prompt. Its AMX code was most likely miscompiled by GCC 12.",
        amx_crash.FIX,
    )


def bad_kernels() -> Finding | None:
    """A variable that names kernels which do not run here: no model is loaded then."""
    try:
        kernels_used()
    except InputError as error:
        return Finding(str(error), f"unset {KERNELS_VARIABLE}")
    return None


def late_variable() -> Finding | None:
    """A libgomp that was loaded, and had read its variables, before hired-gguf could set one."""
    if waiting.in_force.set_by != "nobody" or "OPENMP" not in cpu.built_features():
        return None
    return Finding(
        f"{waiting.in_force.libgomp or 'libgomp'} was loaded by something else before hired-gguf, so "
        f"{waiting.VARIABLE}={waiting.SPINS} came too late: beside a busy process answers take far longer.",
        f"export {waiting.VARIABLE}={waiting.SPINS}",
    )


def plain_build() -> Finding | None:
    """A build that leaves AVX2 unused on a CPU that has it."""
    if "avx2" not in cpu.cpu_flags() or "AVX2" in cpu.built_features():
        return None
    return Finding(
        "This CPU has AVX2, but llama-cpp-python was built without it, and is several times slower for that.",
        f'CMAKE_ARGS="-DGGML_NATIVE=on" {amx_crash.REBUILD}',
    )
