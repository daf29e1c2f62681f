"""`hired-gguf doctor` and GPUs that llama-cpp-python was not built for, found in a forged /sys."""

from __future__ import annotations

import subprocess

import pytest

from hired_gguf.commands import doctor_gpu
from hired_gguf.commands.doctor_gpu import idle_gpu
from hired_gguf.native import gpus
from hired_gguf.native.gpus import Gpu, system_gpus

VENDORS = {"NVIDIA": "0x10de", "AMD": "0x1002", "Intel": "0x8086", "a server's screen": "0x1a03"}


@pytest.fixture
def drm(tmp_path, monkeypatch):
    """Makes cards of these vendors, with a driver; and a CPU build on Linux without nvidia-smi."""
    monkeypatch.setattr(gpus, "DRM", tmp_path)
    monkeypatch.setattr(gpus.platform, "system", lambda: "Linux")
    monkeypatch.setattr(doctor_gpu.shutil, "which", lambda name: None)
    build_for(monkeypatch)

    def make(*cards):
        for number, (vendor, driver) in enumerate(cards):
            device = tmp_path / f"card{number}" / "device"
            device.mkdir(parents=True)
            (device / "vendor").write_text(f"{VENDORS[vendor]}\n")
            (device / "uevent").write_text(f"DRIVER={driver}\nPCI_CLASS=30000\n" if driver else "")
            for name in (f"card{number}-eDP-1", f"renderD{128 + number}", "version"):
                (tmp_path / name).mkdir(exist_ok=True)

    return make


def build_for(monkeypatch, *registered):
    """By the names that ggml registers."""
    monkeypatch.setattr(gpus.core, "has_backend", lambda name: name in ("CPU", *registered))


def nvidia_smi_says(monkeypatch, said):
    monkeypatch.setattr(doctor_gpu.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    answer = subprocess.CompletedProcess([], 0, said, "")
    monkeypatch.setattr(doctor_gpu.subprocess, "run", lambda command, **_: answer)


def test_cards_are_found_whether_used_or_not(drm):
    drm(("Intel", "i915"), ("a server's screen", "ast"), ("NVIDIA", "nouveau"), ("AMD", ""))
    assert system_gpus() == [Gpu("Intel", "i915"), Gpu("NVIDIA", "nouveau"), Gpu("AMD", "")]


def test_a_system_that_does_not_tell_has_none(drm, monkeypatch, tmp_path):
    monkeypatch.setattr(gpus, "DRM", tmp_path / "none")
    assert system_gpus() == []
    (tmp_path / "card0").mkdir()
    monkeypatch.setattr(gpus, "DRM", tmp_path)
    assert system_gpus() == []


@pytest.mark.parametrize(("machine", "found"), [("arm64", [Gpu("Apple", "")]), ("x86_64", [])])
def test_a_mac(drm, monkeypatch, machine, found):
    monkeypatch.setattr(gpus.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(gpus.platform, "machine", lambda: machine)
    assert system_gpus() == found


@pytest.mark.parametrize(
    ("vendor", "driver", "other"),
    [
        ("Intel", "i915", "-DGGML_SYCL=on -DCMAKE_C_COMPILER=icx -DCMAKE_CXX_COMPILER=icpx"),
        ("AMD", "amdgpu", "-DGGML_HIP=on"),
    ],
)
def test_the_owner_of_an_idle_gpu_is_told_to_build_for_vulkan(drm, vendor, driver, other):
    drm((vendor, driver))
    found = idle_gpu()
    assert found.what.startswith(f"An {vendor} GPU (driver {driver}) is there, but llama-cpp-python was not")
    assert "Build it for Vulkan before anything else" in found.what
    for options in ("-DGGML_VULKAN=on", other):
        assert f'\nCMAKE_ARGS="{options}" pip install --force-reinstall' in found.fix
    assert "libvulkan-dev spirv-headers glslc" in found.fix


def test_the_owner_of_a_mac_is_told_to_build_for_metal(drm, monkeypatch):
    monkeypatch.setattr(gpus.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(gpus.platform, "machine", lambda: "arm64")
    found = idle_gpu()
    assert found.what.startswith("An Apple GPU is there, but")
    assert "Build it for Metal" in found.what
    assert found.fix.startswith('CMAKE_ARGS="-DGGML_METAL=on" pip install')
    build_for(monkeypatch, "MTL")
    assert idle_gpu() is None


@pytest.mark.parametrize(
    ("vendor", "registered"),
    [("Intel", "SYCL"), ("Intel", "Vulkan"), ("AMD", "ROCm"), ("AMD", "Vulkan"), ("NVIDIA", "Vulkan")],
)
def test_a_gpu_that_is_served_needs_no_advice(drm, monkeypatch, vendor, registered):
    drm((vendor, "driver"))
    build_for(monkeypatch, registered)
    assert idle_gpu() is None


def test_a_build_for_another_vendor_does_not_serve(drm, monkeypatch):
    drm(("Intel", "xe"))
    build_for(monkeypatch, "CUDA")
    assert "An Intel GPU (driver xe) is there" in idle_gpu().what


def test_an_nvidia_gpu_without_its_driver(drm):
    drm(("NVIDIA", "nouveau"))
    found = idle_gpu()
    assert found.what.startswith("An NVIDIA GPU seems present")
    assert "-DCMAKE_CUDA_ARCHITECTURES=61" in found.fix


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Tesla P40, 6.1\n", ("Tesla P40 seems present", "CUDA 12.x (not 13)", 61)),
        ("NVIDIA H100 80GB, 9.0\n", ("NVIDIA H100 80GB seems present", "CUDA 12 or later", 90)),
        ("Failed to initialize NVML\n", ("An NVIDIA GPU seems present", "CUDA 12.x (not 13)", 61)),
    ],
)
def test_cuda_is_advised_where_nvidia_smi_is(drm, monkeypatch, said, expected):
    name, toolkit, capability = expected
    nvidia_smi_says(monkeypatch, said)
    found = idle_gpu()
    assert found.what.startswith(name)
    assert toolkit in found.fix
    assert f'CMAKE_ARGS="-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES={capability}" pip install' in found.fix
    build_for(monkeypatch, "CUDA")
    assert idle_gpu() is None


def test_without_any_gpu_the_p40_is_the_example(drm, monkeypatch):
    found = idle_gpu()
    assert "for the CPU alone" in found.what
    assert "Tesla P40" in found.fix
    assert "-DCMAKE_CUDA_ARCHITECTURES=61" in found.fix
    build_for(monkeypatch, "Vulkan")
    assert idle_gpu() is None


def test_the_report_gives_this_advice(drm, run):
    drm(("AMD", "amdgpu"))
    assert "\nADVICE: An AMD GPU (driver amdgpu) is there, but llama-cpp-python was" in run("doctor")[1]
