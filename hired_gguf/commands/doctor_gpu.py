"""What ``hired-gguf doctor`` says of a GPU that llama-cpp-python was not built for."""

from __future__ import annotations

import shutil
import subprocess

from ..native import amx_crash, gpus
from .doctor_finding import Finding

PASCAL = 61  # compute capability 6.1: Tesla P40, GTX 1080
TURING = 75  # the oldest that CUDA 13 compiles for
VULKAN = (
    "With Vulkan's headers, SPIR-V's headers and glslc (Debian: libvulkan-dev spirv-headers glslc), and the "
    "GPU's driver (mesa-vulkan-drivers):\n"
    f'CMAKE_ARGS="-DGGML_VULKAN=on" {amx_crash.REBUILD}'
)
FIXES = {
    "AMD": f'{VULKAN}\nor, with ROCm installed:\nCMAKE_ARGS="-DGGML_HIP=on" {amx_crash.REBUILD}',
    "Intel": f"{VULKAN}\nor, with Intel's oneAPI installed and its environment set:\n"
    f'CMAKE_ARGS="-DGGML_SYCL=on -DCMAKE_C_COMPILER=icx -DCMAKE_CXX_COMPILER=icpx" {amx_crash.REBUILD}',
    "Apple": f'CMAKE_ARGS="-DGGML_METAL=on" {amx_crash.REBUILD}',
}


def idle_gpu() -> Finding | None:
    """A GPU that is there but not served, with the way to it: it is worth more than anything else here."""
    if shutil.which("nvidia-smi") is not None:
        return None if gpus.has_backend("CUDA") else _nvidia(_nvidia_gpus())
    idle = [gpu for gpu in gpus.system_gpus() if not gpu.served]
    if not idle:
        return None if _any_gpu_backend() else _no_gpu()
    gpu = next((gpu for gpu in idle if gpu.vendor in FIXES), None)
    return _other(gpu) if gpu else _nvidia({})


def _other(gpu: gpus.Gpu) -> Finding:
    driver = f" (driver {gpu.driver})" if gpu.driver else ""
    way = "Metal" if gpu.vendor == "Apple" else "Vulkan"
    return Finding(
        f"An {gpu.vendor} GPU{driver} is there, but llama-cpp-python was not built for it. "
        f"Build it for {way} before anything else: also a GPU inside the CPU reads prompts several times as "
        "fast as the CPU (docs/gpu.md has figures).",
        FIXES[gpu.vendor],
    )


def _any_gpu_backend() -> bool:
    return any(gpus.has_backend(name) for name in gpus.BACKENDS if name != "CPU")


def _nvidia(found: dict[str, int]) -> Finding:
    return Finding(
        f"{', '.join(found) or 'An NVIDIA GPU'} seems present, but llama-cpp-python was built without CUDA.",
        _cuda(found),
    )


def _no_gpu() -> Finding:
    return Finding("llama-cpp-python was built for the CPU alone: a GPU needs another build.", _cuda({}))


def _cuda(found: dict[str, int]) -> str:
    """The build for the GPU that is there, else for a Tesla P40."""
    capability = min(found.values(), default=PASCAL)
    toolkit = "CUDA 12.x (not 13)" if capability < TURING else "CUDA 12 or later"
    example = "" if found else f" for a Tesla P40 (for another GPU put its compute capability for {PASCAL})"
    options = f"-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES={capability}"
    return f'With {toolkit} installed{example}:\nCMAKE_ARGS="{options}" {amx_crash.REBUILD}'


def _nvidia_gpus() -> dict[str, int]:
    """GPUs and their compute capabilities as CMake writes them (6.1 is 61); empty if none answers."""
    query = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
        rows = [line.rsplit(",", 1) for line in said.splitlines() if line.strip()]
        return {name.strip(): int(capability.strip().replace(".", "")) for name, capability in rows}
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
