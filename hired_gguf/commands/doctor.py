"""``hired-gguf doctor``: what is installed, what it can use, and what is wrong with it."""

from __future__ import annotations

import argparse
import json
import platform
import textwrap
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llama_cpp

from ..console import option_groups, option_sources
from ..console.option_table import add_config_option
from ..console.terminal import printable
from ..native import cpu, waiting
from ..native.gpus import BACKENDS, has_backend
from ..native.load import PIN, core
from . import doctor_checks
from .doctor_finding import Finding
from .doctor_kernels import kernel_facts, kernel_lines

SETTINGS_FIX = (
    "Correct the file or the variable: until then, every command that takes options ends with an error."
)
EXAMPLES = """\
examples:
  hired-gguf doctor
  hired-gguf doctor --json | python -m json.tool
"""


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "doctor",
        "check the installation, list devices, give advice",
        "Check the installation: versions, libraries, devices, the options that a file or environment\n"
        "variables set, and known traps with their fixes.\n"
        "Exits with 0 if all is well and with 1 if there is a problem.",
        EXAMPLES,
    )
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object; memory in bytes")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Report, and return 1 if there is a problem."""
    facts, wrong = option_sources.in_effect(args.config)
    models = doctor_checks.bad_models(facts["options"])
    problems = [
        *doctor_checks.problems(),
        *models,
        *(Finding(what, SETTINGS_FIX) for what in wrong),
    ]
    unknown = option_sources.unknown_variables()
    advice = [*doctor_checks.advice(), *([doctor_checks.unknown_variables(unknown)] if unknown else [])]
    report = {
        **installation(),
        "settings": facts,
        "problems": [asdict(found) for found in problems],
        "advice": [asdict(found) for found in advice],
    }
    print(json.dumps(report) if args.json else "\n".join(describe(report)))
    return 1 if report["problems"] else 0


def installation() -> dict[str, Any]:
    """Versions, libraries, devices and kernels of this installation."""
    packages = ("hired-gguf", "llama-cpp-python", "numpy", "pillow")
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "llama_cpp_python_pin": PIN,
        "libraries": {
            "hired_gguf": str(core.__file__),
            "llama.cpp": str(Path(llama_cpp.__file__).parent / "lib"),
        },
        "backends": {name: has_backend(name) for name in BACKENDS},
        "devices": [device_facts(device) for device in core.list_devices()],
        "cpu_features": cpu.built_features(),
        "kernels": kernel_facts(),
        "waiting": {"openmp": "OPENMP" in cpu.built_features(), **asdict(waiting.in_force)},
    }


def device_facts(device: core.Device) -> dict[str, Any]:
    """A device for machines."""
    names = ("name", "description", "gpu", "memory_free", "memory_total")
    return {name: getattr(device, name) for name in names}


def describe(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    versions = dict(report["versions"])
    pinned = "the pinned version" if versions["llama-cpp-python"] == PIN else f"NOT the {PIN} that is needed"
    versions["llama-cpp-python"] += f" ({pinned})"
    backends = {name: "yes" if there else "no" for name, there in report["backends"].items()}
    lines = [
        *section("versions", versions),
        *section("libraries", report["libraries"]),
        *section("backends built in", backends),
        *section("devices", {device["name"]: device_line(device) for device in report["devices"]}),
        "llama.cpp's CPU code uses",
        f"  {', '.join(report['cpu_features']) or 'nothing special'}",
        *section("options from a file and the environment", settings_lines(report["settings"])),
        *section("CPU kernels", kernel_lines(report["kernels"])),
        f"threads that wait for others: {waiting_line(**report['waiting'])}",
    ]
    for kind, title in (("problems", "PROBLEM"), ("advice", "ADVICE")):
        for found in report[kind]:
            lines += [
                "",
                *textwrap.wrap(f"{title}: {found['what']}", 100),
                *(f"  {line}" for line in found["fix"].splitlines()),
            ]
    return [*lines, "", "There is a problem: see above." if report["problems"] else "No problem found."]


def settings_lines(facts: dict[str, Any]) -> dict[str, str]:
    """The file, and the options that are set."""
    there = "" if facts["config_file_there"] else " (not there)"
    lines = {"file": f"{facts['config_file']}{there}" if facts["config_file"] else "cannot be used"}
    for name, option in facts["options"].items():
        lines[name] = f"{option['value']}, from {option['origin']}"
    return lines


def section(title: str, rows: dict[str, str]) -> list[str]:
    """A titled list."""
    width = max(map(len, rows), default=0)
    return [title, *(f"  {name:<{width}}  {printable(text)}" for name, text in rows.items())]


def waiting_line(openmp: bool, variable: str, value: str, set_by: str, libgomp: str) -> str:
    """How long they spin, and who decided that, on one line."""
    if not openmp:
        return "spin; this llama.cpp was built without OpenMP, and nothing can be set"
    if set_by == "nobody":
        return f"spin for long, as libgomp does by itself ({libgomp} was loaded before hired-gguf)"
    return f"{variable}={value}, set by {'you' if set_by == 'user' else set_by}"


def device_line(device: dict[str, Any]) -> str:
    """A device on one line."""
    free, total = (device[key] / 2**30 for key in ("memory_free", "memory_total"))
    return f"{device['description']}, {free:.1f} GiB free of {total:.1f} GiB"
