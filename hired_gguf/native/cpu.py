"""What the CPU is, and what llama.cpp was compiled to use of it."""

from __future__ import annotations

import platform
from pathlib import Path

import llama_cpp


def cpu_flags() -> set[str]:
    """The CPU's features as Linux names them; empty elsewhere."""
    return set(_cpuinfo("flags").split())


def processor() -> str:
    """The CPU's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def built_features() -> list[str]:
    """What the CPU code of llama.cpp was compiled to use, such as "AVX2"."""
    pairs = (part.split(" = ") for part in llama_cpp.llama_print_system_info().decode().split("|"))
    return [pair[0].rpartition(":")[2].strip() for pair in pairs if pair[-1].strip() == "1"]


def has_amx() -> bool:
    """Whether llama.cpp uses AMX here."""
    return "amx_int8" in cpu_flags() and "AMX_INT8" in built_features()


def on_gpu(n_gpu_layers: int) -> bool:
    """Whether layers of a language model would go to a GPU."""
    return n_gpu_layers != 0 and bool(llama_cpp.llama_supports_gpu_offload())


def _cpuinfo(field: str) -> str:
    """The first value of a field of /proc/cpuinfo; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
