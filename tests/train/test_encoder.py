"""The encoder in PyTorch equals the engine."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from train.sizes import TILE
from training import SEED, picture, with_torch

from hired_gguf import VisionEncoder, _core
from hired_gguf.scenes import make_scene


@with_torch
@pytest.mark.parametrize("kernels", [*_core.kernels_here(), "0"])
def test_encoder_equals_pytorch(modules, kernels, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_KERNELS", kernels)
    drawn = picture(1)
    with VisionEncoder(modules.mmproj, n_threads=1) as engine:
        got = engine.encode(make_scene("train", SEED, 1, tile=TILE).image)
    features = modules.encoder.features(modules.torch.from_numpy(drawn.partitions))
    first, last = import_module("train.cls_recall").attention(modules.encoder, drawn)
    assert min(first.max(), last.max()) > 0.5  # else little could be told
    np.testing.assert_allclose(got.attention_first[:, :, 1:], first, atol=2e-3)
    np.testing.assert_allclose(got.attention_last[:, :, 1:], last, atol=2e-3)
    for name, ours, right in (
        ("features", got.features, features.numpy()),
        ("projected", got.projected, modules.projector(features).numpy()),
    ):
        error = np.linalg.norm(ours - right, axis=-1) / np.linalg.norm(right, axis=-1)
        assert error.max() < 2e-3, name
    np.testing.assert_array_equal(got.newline, modules.projector.image_newline.numpy())
