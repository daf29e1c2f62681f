"""LLaVA's vision files as people have them: each layout loads and answers, and quantised rows stay close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gguf import GGUFValueType
from golden_pair import MMPROJ, TEXT, cosines, photo
from llava_layouts import KEYS_2024, LAYOUTS, NEXT, OLD_TYPES, Layout, quantised, write

from hired_gguf import LlavaNext, VisionEncoder
from hired_gguf.model_files import mmproj_keys
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.mmproj_tensors import MATRIX

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

#: Least mean cosine of the rows against the F16 file of the same layout, measured less a margin.
CLOSE = {"Q4_0": 0.92, "Q4_1": 0.92, "Q5_0": 0.975, "Q5_1": 0.975}


def rows(path):
    with VisionEncoder(path, n_threads=1) as encoder:
        return encoder.encode(photo("coffee"), features=False).projected


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Rows of the F16 file, tiled as 1.6 does it and whole as 1.5 does it, by whether they are tiled."""
    folder = tmp_path_factory.mktemp("f16")
    return {
        tiled: rows(write(MMPROJ, folder / f"{tiled}.gguf", LAYOUTS["1.6" if tiled else "1.5 of 2024"]))
        for tiled in (True, False)
    }


@pytest.mark.parametrize(("name", "count"), [("1.5 of 2023, GGUF 2", 18), ("1.5 of 2024", 19), ("1.6", 25)])
def test_layouts_have_as_many_keys_as_public_files(name, count, tmp_path):
    path = write(MMPROJ, tmp_path / "a.gguf", LAYOUTS[name])
    assert LAYOUTS[name].n_keys == int.from_bytes(path.read_bytes()[16:24], "little") == count


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_loads_and_answers(name, reference, tmp_path):
    layout = LAYOUTS[name]
    path = write(MMPROJ, tmp_path / "a.gguf", layout)
    info = read_mmproj(path)
    tiled = bool(layout.added)
    assert (len(info.pinpoints), info.unpad, info.newline_name is not None) == (5 * tiled, tiled, tiled)
    close = cosines(rows(path), reference[tiled])
    assert close.mean() > CLOSE.get(layout.matrices, 0.998)
    with LlavaNext(TEXT, path, n_ctx=512, n_threads=1, budget=0.5) as llm:
        answer = llm.ask(photo("coffee"), "What is it?", max_tokens=4)
    assert (answer.finish_reason, bool(answer.text)) == ("length", True)
    assert answer.visual_tokens == len(reference[tiled]) * 16 // 2


@pytest.mark.parametrize("position", OLD_TYPES)
def test_a_quantised_position_table_alone_moves_little(position, reference, tmp_path):
    path = write(MMPROJ, tmp_path / "a.gguf", Layout(**NEXT, position=position))
    assert cosines(rows(path), reference[True]).mean() > 0.999


@pytest.mark.slow
@pytest.mark.parametrize("kind", MATRIX)
def test_every_type_of_a_matrix_runs_in_every_place_that_takes_it(kind, small, tmp_path):
    """Width 256, which the blocks of all types divide."""
    layout = Layout(**NEXT, matrices=kind, position=kind)
    exact = write(small[1], tmp_path / "f32.gguf", Layout(**NEXT, matrices="F32", position="F32"))
    close = cosines(rows(write(small[1], tmp_path / "a.gguf", layout)), rows(exact))
    assert close.mean() > 0.8 if "2_K" in kind or "3_K" in kind else close.mean() > 0.95


@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"])
def test_k_types_of_the_old_quantizer_have_a_table_in_q8_0(kind, small, tmp_path):
    exact = write(small[1], tmp_path / "f16.gguf", LAYOUTS["1.5 of 2024"])
    close = cosines(rows(write(small[1], tmp_path / "a.gguf", quantised(kind))), rows(exact))
    assert close.mean() > (0.8 if kind in ("Q2_K", "Q3_K") else 0.98)


def test_a_whole_tower_without_a_feature_layer_runs_to_the_last_but_one(tmp_path, monkeypatch):
    """Hugging Face's vision_feature_layer of -2. The rule knows CLIP's widths; here the golden one counts."""
    monkeypatch.setitem(mmproj_keys.WHOLE_TOWERS, 128, 3)
    whole = write(MMPROJ, tmp_path / "whole.gguf", WHOLE)
    said = write(MMPROJ, tmp_path / "said.gguf", replace(WHOLE, added=layer(2)))
    last = write(MMPROJ, tmp_path / "last.gguf", replace(WHOLE, added=layer(3)))
    assert [read_mmproj(path).executed_layers for path in (whole, said, last)] == [2, 2, 3]
    np.testing.assert_array_equal(rows(whole), rows(said))
    assert cosines(rows(whole), rows(last)).mean() < 0.99


def test_the_golden_tower_is_no_whole_one(tmp_path):
    assert read_mmproj(write(MMPROJ, tmp_path / "a.gguf", WHOLE)).executed_layers == 3


WHOLE = Layout(KEYS_2024, matrices="F32", position="F32")


def layer(number):
    return {"clip.vision.feature_layer": ([number], GGUFValueType.ARRAY)}
