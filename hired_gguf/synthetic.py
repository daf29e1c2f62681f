"""Pairs with random weights, made on first use by models/synthesize.py: to measure speed, and for trials."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .errors import HiredError


def pair_paths(folder: Path, quant: str, shape: str = "tiny") -> tuple[Path, Path]:
    """Where `synthesize` puts a pair."""
    mmproj_quant = "f32" if quant == "f32" else "f16"
    return folder / f"text-{shape}-{quant}.gguf", folder / f"mmproj-{shape}-{mmproj_quant}.gguf"


def synthesize(folder: Path, quant: str, shape: str = "tiny") -> tuple[Path, Path]:
    """Make a pair of random weights in ``folder``, unless it is there. Raises HiredError, OSError."""
    text, mmproj = pair_paths(folder, quant, shape)
    if not (text.is_file() and mmproj.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--shape", shape, "--quant", quant, "--chat-template", "none", "--out", str(folder)]
        made = subprocess.run(
            [sys.executable, str(_script()), *options], capture_output=True, text=True, check=False
        )
        if made.returncode != 0 or not (text.is_file() and mmproj.is_file()):
            reason = (made.stderr.strip().splitlines() or [f"exit code {made.returncode}"])[-1]
            raise HiredError(f"cannot make a model with random weights in {folder}: {reason}")
    return text, mmproj


def cache_folder() -> Path:
    """Where this user's generated models are kept."""
    if chosen := os.environ.get("HIRED_GGUF_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hired-gguf"


def _script() -> Path:
    """synthesize.py: in the package once installed, beside it in a source checkout."""
    here = Path(__file__).parent
    for folder in (here / "models", here.parent / "models"):
        if (folder / "synthesize.py").is_file():
            return folder / "synthesize.py"
    raise HiredError(f"{here / 'models'} is missing: reinstall hired-gguf")
