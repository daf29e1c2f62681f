"""Where things are in the clone."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN_FOLDER = ROOT / "tests" / "golden"
