"""The pair of files that trained weights become."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from train.sizes import TILE, VISION
from training import with_torch

from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.pair import read_text_model
from hired_gguf.synthetic.tensors import Kind, mmproj_tensors, text_tensors


def contents(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


@with_torch
def test_files_are_laid_out_as_the_well_known_ones(modules):
    for path, wanted in (
        (modules.text, text_tensors(modules.sizes.text)),
        (modules.mmproj, mmproj_tensors(modules.sizes)),
    ):
        types = {
            tensor.name: (list(tensor.shape), "F32" if tensor.kind is Kind.VECTOR else "F16")
            for tensor in wanted
        }
        found = {name: (t.shape.tolist()[::-1], t.tensor_type.name) for name, t in contents(path).items()}
        assert found == types


@with_torch
def test_files_hold_the_weights_without_the_last_layer(modules):
    text, mmproj = contents(modules.text), contents(modules.mmproj)
    for name, value in modules.language.state_dict().items():
        np.testing.assert_array_equal(text[name].data, value.numpy())
    last = f"blk.{VISION.layers}."
    assert any(name.startswith(last) for name in modules.encoder.state_dict())
    assert not any(last in name for name in mmproj)
    tower = {k: v for k, v in modules.encoder.state_dict().items() if not k.startswith(last)}
    assert len(mmproj) == len(tower) + len(modules.projector.state_dict())
    for name, value in tower.items():
        (stored,) = (mmproj[f"v.{name}{end}"] for end in ("", ".weight") if f"v.{name}{end}" in mmproj)
        np.testing.assert_array_equal(stored.data, value.numpy())
    for number in "02":
        for what in ("weight", "bias"):
            value = modules.projector.state_dict()[f"mm_{number}.{what}"]
            np.testing.assert_array_equal(mmproj[f"mm.{number}.{what}"].data, value.numpy())


@with_torch
def test_files_say_what_they_are(modules):
    info, text = read_mmproj(modules.mmproj), read_text_model(modules.text)
    assert (info.name, text.name) == ("hired-mini mmproj", "hired-mini text model")
    assert (info.image_size, info.layers, info.executed_layers) == (TILE, VISION.layers, VISION.layers)
    assert (info.text_width, info.use_gelu, info.unpad) == (text.width, False, True)
    assert info.eps == pytest.approx(VISION.eps)
    assert info.file_type == text.file_type == "F16"
    assert "USER: " in text.chat_template
    for path in (modules.text, modules.mmproj):
        fields = gguf.GGUFReader(path).fields
        assert fields["general.license"].contents() == "MIT"
        assert "random" not in fields["general.description"].contents()
