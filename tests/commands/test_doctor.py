"""`hired-gguf doctor`: what is wrong with this machine, and what would be better."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import hired_gguf
from hired_gguf.commands import doctor_checks
from hired_gguf.native import amx_crash, cpu, waiting


@pytest.fixture
def healthy(monkeypatch):
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX2"])
    monkeypatch.setattr(amx_crash, "crash", lambda: None)
    monkeypatch.setattr(doctor_checks.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor_checks.core, "has_backend", lambda name: name in ("CPU", "Vulkan"))


def test_doctor_finds_nothing_wrong(run, healthy):
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert "llama-cpp-python  0.3.36 (the pinned version)" in out
    assert "GiB" in out
    assert "No problem found." in out


def test_doctor_json(run, healthy):
    code, out, _ = run("doctor", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["backends"]["CPU"] is True
    assert (report["problems"], report["advice"]) == ([], [])
    assert Path(report["libraries"]["llama.cpp"]).is_dir()


def test_doctor_tells_whose_kernels_run(run, healthy, monkeypatch):
    both = ["avx512", "avx2"]
    served = " and by language models in Q3_K, Q4_0, Q4_K, Q5_0, Q5_K, Q6_K, Q8_0"
    fast = "kernels: avx512 (avx2 would run here too), used by the vision encoder"
    for here, asked, expected in (
        (both, "", f"{fast}{served}"),
        (both, "avx2", f"kernels: avx2 (avx512 would run here too), used by the vision encoder{served}"),
        (["avx2"], "", f"kernels: avx2, used by the vision encoder{served}"),
        (both, "0", "kernels: not used, since HIRED_GGUF_KERNELS=0"),
        ([], "", "kernels: not used; they need x86-64 with AVX2"),
    ):
        monkeypatch.setattr(hired_gguf._core, "kernels_here", lambda here=here: here)
        monkeypatch.setenv("HIRED_GGUF_KERNELS", asked)
        assert f"{expected}\n" in run("doctor")[1]
    monkeypatch.setattr(hired_gguf._core, "kernels_here", lambda: both)
    monkeypatch.delenv("HIRED_GGUF_KERNELS")
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"amx_int8"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX2", "AMX_INT8"])
    assert f"{fast}\n" in run("doctor")[1]


def test_doctor_reports_kernels_that_do_not_run_here(run, healthy, monkeypatch):
    monkeypatch.setattr(hired_gguf._core, "kernels_here", lambda: ["avx2"])
    monkeypatch.setenv("HIRED_GGUF_KERNELS", "avx512")
    code, out, _ = run("doctor")
    assert code == 1
    assert "kernels: not used, since HIRED_GGUF_KERNELS=avx512\n" in out
    assert "PROBLEM: HIRED_GGUF_KERNELS is 'avx512'; allowed on this machine: avx2, 0 (ggml's)\n" in out
    assert "\n  unset HIRED_GGUF_KERNELS\n" in out
    assert json.loads(run("doctor", "--json")[1])["kernels"] == {
        "run_here": ["avx2"],
        "used": "",
        "language_models": "",
    }


@pytest.mark.parametrize(
    ("in_force", "line"),
    [
        (("GOMP_SPINCOUNT", "1000", "hired-gguf"), "GOMP_SPINCOUNT=1000, set by hired-gguf"),
        (("GOMP_SPINCOUNT", "5", "user"), "GOMP_SPINCOUNT=5, set by you"),
        (("OMP_WAIT_POLICY", "passive", "user"), "OMP_WAIT_POLICY=passive, set by you"),
        (
            ("GOMP_SPINCOUNT", "", "nobody"),
            "spin for long, as libgomp does by itself (/a/libgomp.so.1 was loaded",
        ),
    ],
)
def test_doctor_tells_how_threads_wait(run, healthy, monkeypatch, in_force, line):
    monkeypatch.setattr(waiting, "in_force", waiting.Waiting(*in_force, "/a/libgomp.so.1"))
    assert "wait for others: spin; this llama.cpp was built without OpenMP" in run("doctor")[1]
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX2", "OPENMP"])
    code, out, _ = run("doctor")
    assert f"\nthreads that wait for others: {line}" in out
    assert code == 0
    late = in_force[2] == "nobody"
    assert ("ADVICE: /a/libgomp.so.1 was loaded by something else before" in out) == late
    assert ("\n  export GOMP_SPINCOUNT=1000\n" in out) == late
    report = json.loads(run("doctor", "--json")[1])["waiting"]
    assert (report["variable"], report["value"], report["set_by"]) == in_force


def test_doctor_reports_a_crash_with_amx(run, healthy, monkeypatch):
    monkeypatch.setattr(amx_crash, "crash", lambda: "SIGSEGV")
    code, out, _ = run("doctor")
    assert code == 1
    assert "PROBLEM: llama-cpp-python crashes (SIGSEGV)" in out
    assert '  CFLAGS="-mno-amx-tile -mno-amx-int8 -mno-amx-bf16" CXXFLAGS="-mno-amx' in out


def test_doctor_reports_a_test_that_could_not_run(run, healthy, monkeypatch):
    def fail():
        raise OSError("disk full")

    monkeypatch.setattr(amx_crash, "crash", fail)
    code, out, _ = run("doctor")
    assert code == 1
    assert "could not run: disk full" in out
    assert "set TMPDIR to another" in out


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        ("Tesla P40, 6.1\n", ("Tesla P40 seems present", "CUDA 12.x (not 13)", 61)),
        ("NVIDIA H100 80GB, 9.0\n", ("NVIDIA H100 80GB seems present", "CUDA 12 or later", 90)),
        ("Failed to initialize NVML\n", ("An NVIDIA GPU seems present", "CUDA 12.x (not 13)", 61)),
    ],
)
def test_doctor_advises_cuda(healthy, monkeypatch, gpus, expected):
    name, toolkit, capability = expected

    def answer(command, **_):
        return subprocess.CompletedProcess(command, 0, gpus, "")

    monkeypatch.setattr(doctor_checks.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(doctor_checks.core, "has_backend", lambda name: False)
    monkeypatch.setattr(doctor_checks.subprocess, "run", answer)
    (found,) = doctor_checks.advice()
    assert found.what.startswith(name)
    assert toolkit in found.fix
    assert f'CMAKE_ARGS="-DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES={capability}" pip install' in found.fix


def test_doctor_tells_a_cpu_build_of_the_p40(healthy, monkeypatch):
    monkeypatch.setattr(doctor_checks.core, "has_backend", lambda name: name == "CPU")
    (found,) = doctor_checks.advice()
    assert "for the CPU alone" in found.what
    assert "Tesla P40" in found.fix
    assert "-DCMAKE_CUDA_ARCHITECTURES=61" in found.fix


def test_doctor_advises_a_build_for_this_cpu(healthy, monkeypatch):
    monkeypatch.setattr(cpu, "built_features", lambda: ["SSE3"])
    (found,) = doctor_checks.advice()
    assert "AVX2" in found.what
