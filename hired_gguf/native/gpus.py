"""GPUs of this machine: what llama.cpp was built for, and what the system lists whether it was or not."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from .load import core

#: What people call a backend, and the name that ggml registers it by.
BACKENDS = {
    "CPU": "CPU",
    "CUDA": "CUDA",
    "ROCm": "ROCm",
    "Vulkan": "Vulkan",
    "SYCL": "SYCL",
    "Metal": "MTL",
}
SERVING = {  # backends that can use a vendor's GPUs
    "NVIDIA": ("CUDA", "Vulkan"),
    "AMD": ("ROCm", "Vulkan"),
    "Intel": ("SYCL", "Vulkan"),
    "Apple": ("Metal",),
}
PCI_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
DRM = Path("/sys/class/drm")  # Linux lists each card here, used or not


@dataclass(frozen=True)
class Gpu:
    """A GPU that the system knows. ``driver`` is the kernel's, empty if unknown."""

    vendor: str
    driver: str

    @property
    def served(self) -> bool:
        """Whether llama.cpp was built for a backend that can use it."""
        return any(has_backend(name) for name in SERVING[self.vendor])


def has_backend(name: str) -> bool:
    """Whether llama.cpp was built for one of `BACKENDS`."""
    return bool(core.has_backend(BACKENDS[name]))


def system_gpus() -> list[Gpu]:
    """The GPUs of `SERVING`'s vendors; none where the system does not tell, as Windows.

    Screens of servers and virtual machines are of other vendors and do not count.
    """
    if platform.system() == "Darwin":
        return [Gpu("Apple", "")] if platform.machine() == "arm64" else []
    cards = sorted(path for path in _entries(DRM) if path.name.removeprefix("card").isdecimal())
    found = ((PCI_VENDORS.get(_read(card / "device" / "vendor")), card) for card in cards)
    return [Gpu(vendor, _driver(card)) for vendor, card in found if vendor]


def _driver(card: Path) -> str:
    lines = _read(card / "device" / "uevent").splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith("DRIVER=")), "")


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
