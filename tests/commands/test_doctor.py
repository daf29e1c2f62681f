"""`hired-gguf doctor`: what is wrong with this machine, and what would be better."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hired_gguf
from hired_gguf.commands import doctor_checks, doctor_gpu
from hired_gguf.commands.doctor_kernels import TYPES
from hired_gguf.native import amx_crash, cpu, gpus, waiting


@pytest.fixture
def healthy(monkeypatch):
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"avx2"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX2"])
    monkeypatch.setattr(amx_crash, "crash", lambda: None)
    monkeypatch.setattr(doctor_gpu.shutil, "which", lambda name: None)
    monkeypatch.setattr(gpus.core, "has_backend", lambda name: name in ("CPU", "Vulkan"))
    monkeypatch.setattr(gpus, "DRM", gpus.DRM / "none")
    monkeypatch.setattr(gpus.platform, "system", lambda: "Linux")


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


def test_doctor_tells_which_kernel_serves_what(run, healthy, monkeypatch):
    monkeypatch.setattr(hired_gguf._core, "kernels_here", lambda: ["avx512", "avx2"])
    monkeypatch.delenv("HIRED_GGUF_KERNELS", raising=False)
    out = run("doctor")[1]
    assert "  vision encoder    avx512: a tile 1.7 times as fast as with stock, " in out
    assert "  Q4_0 model        avx512: a prompt 2.9 times as fast as with stock, a token" in out
    assert "  Q4_1 model        ggml's, as fast as stock\n" in out
    assert "  hired-gguf's own  avx512; avx2 would run here too\n" in out
    facts = json.loads(run("doctor", "--json")[1])["kernels"]
    assert (facts["run_here"], facts["used"]) == (["avx512", "avx2"], "avx512")
    assert facts["language_model"]["Q4_0"] == "avx512"


@pytest.mark.parametrize(
    "case",
    [
        (["avx512", "avx2"], "0", "not used, since HIRED_GGUF_KERNELS=0"),
        ([], "", "none for this CPU; they need x86-64 with AVX2"),
    ],
)
def test_doctor_tells_why_our_kernels_do_not_run(run, healthy, monkeypatch, case):
    here, asked, line = case
    monkeypatch.setattr(hired_gguf._core, "kernels_here", lambda: here)
    monkeypatch.setenv("HIRED_GGUF_KERNELS", asked)
    out = run("doctor")[1]
    assert f"  hired-gguf's own  {line}\n" in out
    assert out.count("  ggml's, as fast as stock\n") == 1 + len(TYPES)


def test_doctor_reports_kernels_that_do_not_run_here(run, healthy, monkeypatch):
    monkeypatch.setattr(hired_gguf._core, "kernels_here", lambda: ["avx2"])
    monkeypatch.setenv("HIRED_GGUF_KERNELS", "avx512")
    code, out, _ = run("doctor")
    assert code == 1
    assert "  hired-gguf's own  not used, since HIRED_GGUF_KERNELS=avx512\n" in out
    assert "PROBLEM: HIRED_GGUF_KERNELS is 'avx512'; allowed on this machine: avx2, 0 (ggml's)\n" in out
    assert "\n  unset HIRED_GGUF_KERNELS\n" in out
    facts = json.loads(run("doctor", "--json")[1])["kernels"]
    assert (facts["run_here"], facts["used"]) == (["avx2"], "")
    assert set(facts["language_model"].values()) == {"ggml"}


def test_doctor_leaves_language_models_to_amx(run, healthy, monkeypatch):
    monkeypatch.setattr(hired_gguf._core, "kernels_here", lambda: ["avx512"])
    monkeypatch.delenv("HIRED_GGUF_KERNELS", raising=False)
    monkeypatch.setattr(cpu, "cpu_flags", lambda: {"amx_int8"})
    monkeypatch.setattr(cpu, "built_features", lambda: ["AVX2", "AMX_INT8"])
    out = run("doctor")[1]
    assert "  vision encoder    avx512: " in out
    assert "  Q4_0 model        ggml's, as fast as stock\n" in out


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


def test_doctor_advises_a_build_for_this_cpu(healthy, monkeypatch):
    monkeypatch.setattr(cpu, "built_features", lambda: ["SSE3"])
    (found,) = doctor_checks.advice()
    assert "AVX2" in found.what
