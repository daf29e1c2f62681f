"""The tolerances of the golden tests can fail, and a GPU's are wider."""

from __future__ import annotations

import numpy as np
import pytest
from closeness import CPU, GPU, closeness_on

RIGHT = np.random.default_rng(0).standard_normal((20, 128)).astype(np.float32)
NOISE = np.random.default_rng(1).standard_normal(RIGHT.shape).astype(np.float32)


def fails(check, *values):
    with pytest.raises(AssertionError):
        check(*values)
    return True


def test_the_cpu_is_held_to_more():
    assert closeness_on("cpu") is closeness_on("CPU") is CPU
    assert closeness_on("Vulkan0") is closeness_on("gpu") is GPU


def test_rows():
    near, far = RIGHT + 0.008 * NOISE, RIGHT + 0.03 * NOISE  # cosines of about 0.99997 and 0.9995
    for check in ("check_rows", "check_packed", "check_features", "check_logits"):
        getattr(CPU, check)(*((RIGHT[0],) * 2 if check == "check_logits" else (RIGHT, RIGHT)))
    GPU.check_rows(near, RIGHT)
    GPU.check_packed(near, RIGHT)
    GPU.check_features(near, RIGHT)
    GPU.check_logits(near[0], RIGHT[0])
    for check in (CPU.check_rows, CPU.check_packed, CPU.check_features, GPU.check_rows):
        assert fails(check, far, RIGHT)
    assert fails(CPU.check_logits, RIGHT[0] + 0.03, RIGHT[0])
    assert fails(CPU.check_packed, RIGHT * 1.01, RIGHT)
    assert fails(GPU.check_rows, near[:-1], RIGHT)


def test_attention():
    GPU.check_attention(RIGHT + 0.019, RIGHT)
    assert fails(CPU.check_attention, RIGHT + 0.019, RIGHT)
    assert fails(GPU.check_attention, RIGHT + 0.021, RIGHT)


def test_kept_tokens():
    right = np.arange(100)
    one, three = np.r_[right[1:], 200], np.r_[right[3:], 200, 201, 202]
    CPU.check_kept(right[::-1], right)
    assert fails(CPU.check_kept, one, right)
    GPU.check_kept(one, right)
    assert fails(GPU.check_kept, three, right)
    assert fails(GPU.check_kept, right[:-1], right)
