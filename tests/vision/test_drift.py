"""How far two mmproj files are apart."""

from __future__ import annotations

import numpy as np
import pytest
from golden_pair import FOLDER, MMPROJ, NAMES, photo

from hired_gguf import VisionEncoder
from hired_gguf.errors import InputError, ModelMismatchError
from hired_gguf.model_files.quantize import TYPES
from hired_gguf.vision.drift import measure_drift

# Mean cosine and relative error of the golden pictures' rows, with room to spare: the weights are random.
BOUNDS = {
    "F32": (1.0, 0.0),
    "F16": (0.99999, 0.005),
    "BF16": (0.9998, 0.02),
    "Q8_0": (0.999, 0.05),
    "Q5_1": (0.97, 0.25),
    "Q5_0": (0.97, 0.25),
    "Q4_1": (0.9, 0.5),
    "Q4_0": (0.9, 0.5),
}


@pytest.mark.parametrize("kind", TYPES)
def test_drift_of_the_golden_pictures(every_type, kind):
    heard = []
    drift = measure_drift(
        MMPROJ,
        every_type[kind],
        [photo(name) for name in NAMES],
        n_threads=1,
        on_progress=lambda *at: heard.append(at),
    )
    cosine, error = BOUNDS[kind]
    assert cosine - 1e-9 <= drift.cosine_mean <= 1
    assert -1 <= drift.cosine_min <= drift.cosine_mean
    assert (drift.relative_error == 0) == (kind == "F32")
    assert drift.relative_error <= error
    assert [kept.budget for kept in drift.kept] == [0.2, 0.1]
    for kept in drift.kept:
        assert 0.2 < kept.min <= kept.mean <= 1
        assert kept.mean == 1 or kind != "F32"
    assert drift.pictures == 4
    assert drift.rows == sum(read_golden_rows(name) for name in NAMES)
    assert heard == [("compare", done, 4) for done in range(4)]


def read_golden_rows(name):
    """Rows of the packed picture without its newline rows: one ends each row of the mosaic."""
    with np.load(FOLDER / f"{name}.npz") as numbers:
        packed, projected = numbers["packed"], numbers["projected"]
    features = {row.tobytes() for row in projected.reshape(-1, projected.shape[-1])}
    return sum(row.tobytes() in features for row in packed)


def test_drift_orders_the_types(every_type):
    errors = [
        measure_drift(MMPROJ, every_type[kind], [photo()], n_threads=1).relative_error for kind in BOUNDS
    ]
    exact, rest = errors[:4], errors[4:]
    assert exact == sorted(exact)
    assert max(exact) < min(rest)


def test_drift_counts_tokens_by_hand(every_type, encoder):
    with VisionEncoder(every_type["Q4_0"], n_threads=1) as other:
        one, two = (set(e.encode(photo()).select(7).order.tolist()) for e in (encoder, other))
    drift = measure_drift(MMPROJ, every_type["Q4_0"], [photo()], budgets=[7], n_threads=1)
    assert drift.kept[0].mean == drift.kept[0].min == len(one & two) / len(one | two)


def test_drift_needs_pictures_and_the_same_model(every_type, tiny, small):
    with pytest.raises(InputError, match="no pictures to compare with"):
        measure_drift(MMPROJ, every_type["F16"], [])
    with pytest.raises(ModelMismatchError, match="are different models: image_size is 56 and 112"):
        measure_drift(MMPROJ, small[1])
