"""The vision encoder against Hugging Face's numbers (golden/hf_tiny), and against itself on other files."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGUFValueType
from golden_pair import MMPROJ, NAMES, cosines, golden, photo, rows_of
from PIL import Image

from hired_gguf import InputError, NativeError, NumericError, VisionEncoder, _core
from hired_gguf.context.prefill import prefill
from hired_gguf.progress import Timings
from hired_gguf.selection.selection import select_with_tiling

V = "clip.vision."
PINPOINTS = V + "image_grid_pinpoints"


# Hugging Face


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_everything_equals_hugging_face(any_encoder, close, name):
    right = golden(name)
    encoding = any_encoder.encode(photo(name), (0, 1, 2))
    assert encoding.image_size_hw == tuple(right["image_size_hw"])
    np.testing.assert_allclose(encoding.pixel_values, right["pixel_values"], atol=1e-5)
    for layer in (0, 1, 2):
        close.check_attention(encoding.attention[layer], right["cls_attention"][:, layer])
    close.check_features(encoding.features, right["features"])
    close.check_rows(encoding.projected, right["projected"])
    close.check_packed(encoding.pack(), right["packed"])


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_tokens_kept_are_those_of_hugging_faces_attention(any_encoder, close, name):
    ours = any_encoder.encode(photo(name)).select(0.2)
    first, last = golden(name)["cls_attention"][:, [0, 2], :, 1:].swapaxes(0, 1)
    right = select_with_tiling(first, last, ours.tiling, ours.config)
    close.check_kept(ours.order, right.order)


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_last_logits_equal_hugging_face(encoder, golden_llama, close, name):
    right = golden(name)
    ids = right["input_ids"].tolist()
    prefill(golden_llama, [ids[:4], rows_of(encoder.encode(photo(name)).pack()), ids[4:]], Timings())
    logits = np.ctypeslib.as_array(golden_llama._ctx.get_logits(), shape=(320,))
    close.check_logits(logits, right["last_logits"])


def test_the_order_of_rows_matters_to_the_logits(encoder, golden_llama):
    """Else the test above could not see a wrong order."""
    right = golden("coffee")
    ids = right["input_ids"].tolist()
    backwards = encoder.encode(photo("coffee")).pack()[::-1].copy()
    prefill(golden_llama, [ids[:4], rows_of(backwards), ids[4:]], Timings())
    logits = np.ctypeslib.as_array(golden_llama._ctx.get_logits(), shape=(320,))
    assert np.abs(logits - right["last_logits"]).max() > 0.1


# What an encoding holds


def test_attention_keys_are_as_asked(encoder):
    encoding = encoder.encode(photo(), (-1, 1, -3))
    assert list(encoding.attention) == [-1, 1, -3]
    first, middle, last = (encoder.encode(photo(), (0, 1, 2)).attention[i] for i in range(3))
    np.testing.assert_array_equal(encoding.attention[-1], last)
    np.testing.assert_array_equal(encoding.attention[1], middle)
    np.testing.assert_array_equal(encoding.attention[-3], first)
    np.testing.assert_array_equal(encoding.attention_first, first)
    np.testing.assert_array_equal(encoding.attention_last, last)
    assert np.abs(first - last).max() > 0.01
    assert encoder.encode(photo(), ()).attention == {}


def test_attention_rows_sum_to_one(any_encoder):
    for rows in any_encoder.encode(photo("chelsea"), (0, 1, 2)).attention.values():
        assert rows.shape == (5, 4, 17)
        assert rows.min() >= 0
        np.testing.assert_allclose(rows.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("layer", [3, -4, 100])
def test_a_layer_that_is_not_run_has_no_attention(encoder, layer):
    with pytest.raises(InputError, match=rf"attention_layers has {layer}; allowed: -3 to 2"):
        encoder.encode(photo(), (layer,))


def test_features_only_if_asked(encoder):
    without = encoder.encode(photo(), features=False)
    assert without.features is None
    np.testing.assert_array_equal(without.projected, encoder.encode(photo()).projected)


@pytest.mark.parametrize("allocation", ["hired", "uniform"])
@pytest.mark.parametrize("budget", [1, 7, 0.2, 0.5, 60])
def test_selection_keeps_exactly_the_budget(encoder, budget, allocation):
    encoding = encoder.encode(photo())
    selection = encoding.select(budget, allocation=allocation)
    tokens = budget if isinstance(budget, int) else int(budget * 80)
    assert selection.visual_tokens == selection.mask.sum() == selection.counts.sum() == tokens


@pytest.mark.parametrize("newlines", ["keep", "drop"])
@pytest.mark.parametrize("name", NAMES)
def test_packed_rows_are_the_projected_rows_by_id(encoder, name, newlines):
    encoding = encoder.encode(photo(name))
    selection = encoding.select(0.3, newlines=newlines)
    packed = encoding.pack(selection)
    newline_rows = selection.packing < 0
    assert newline_rows.any() == (newlines == "keep")
    np.testing.assert_array_equal(packed[newline_rows], np.tile(encoding.newline, (newline_rows.sum(), 1)))
    flat = encoding.projected.reshape(-1, 128)
    np.testing.assert_array_equal(packed[~newline_rows], flat[selection.order])
    assert packed.dtype == np.float32


def test_selection_prefers_what_cls_looks_at(encoder):
    encoding = encoder.encode(photo())
    kept = encoding.select(0.4).mask
    scores = encoding.attention_last[:, :, 1:].sum(1)
    for partition in range(len(kept)):
        if kept[partition].any() and not kept[partition].all():
            assert scores[partition][kept[partition]].min() >= scores[partition][~kept[partition]].max()


def test_newline_is_the_files_tensor(encoder):
    np.testing.assert_array_equal(encoder.encode(photo()).newline, golden("astronaut")["packed"][24])


def test_image_sources_are_equal(encoder):
    path = photo("rocket")
    right = encoder.encode(path).projected
    picture = Image.open(path).convert("RGB")
    for source in (str(path), path.read_bytes(), picture, np.asarray(picture), f"file://{path}"):
        np.testing.assert_array_equal(encoder.encode(source).projected, right)


# Batches


def test_more_partitions_than_a_batch_equal_single_ones(variant):
    encoder = variant(keys={PINPOINTS: [168, 168]})
    encoding = encoder.encode(photo(), (0, 2))
    assert encoding.grid == (3, 3)
    assert len(encoding.projected) == 10
    for partition, pixels in enumerate(encoding.pixel_values):
        (first, last), features, projected = encoder._open().encode(pixels[None], [0, 2], True)
        np.testing.assert_allclose(encoding.attention[0][partition], first[0], atol=1e-6)
        np.testing.assert_allclose(encoding.attention[2][partition], last[0], atol=1e-6)
        np.testing.assert_allclose(encoding.features[partition], features[0], atol=1e-3)
        np.testing.assert_allclose(encoding.projected[partition], projected[0], atol=1e-3)
    assert np.abs(encoding.projected[1:] - encoding.projected[:-1]).max(axis=(1, 2)).min() > 0.1


def test_calls_leave_nothing_behind(encoder):
    fresh = [encoder.encode(photo(name)).projected for name in NAMES]
    for name, right in zip(reversed(NAMES), reversed(fresh), strict=True):
        np.testing.assert_array_equal(encoder.encode(photo(name), (0, 1, 2)).projected, right)


# Other files


@pytest.mark.parametrize(("quant", "least"), [("F16", 0.9999), ("Q8_0", 0.999), ("Q4_0", 0.9)])
def test_quantised_files(variant, encoder, quant, least):
    quantised = variant(quant=quant)
    for name in NAMES:
        exact, ours = encoder.encode(photo(name)).projected, quantised.encode(photo(name)).projected
        assert cosines(ours, exact).mean() > least
        assert np.abs(ours - exact).max() > 0  # that it is another file at all


def test_llava_1_5_has_one_partition(variant, encoder):
    plain = variant(drop=(PINPOINTS, V + "mm_patch_merge_type", "model.image_newline"))
    encoding = plain.encode(photo())  # square, so LLaVA-1.5's own padding does nothing
    assert encoding.grid == (0, 0)
    assert encoding.newline.size == 0
    np.testing.assert_array_equal(encoding.pixel_values, encoder.encode(photo()).pixel_values[:1])
    np.testing.assert_allclose(encoding.projected, golden("astronaut")["projected"][:1], atol=1e-3)
    np.testing.assert_array_equal(encoding.pack(), encoding.projected[0])
    selection = encoding.select(5, newlines="keep")
    best = np.sort(np.argsort(-encoding.attention_last[0, :, 1:].sum(0), kind="stable")[:5])
    np.testing.assert_array_equal(selection.packing, best)


def test_flat_merge_keeps_partitions_whole(variant):
    flat = variant(keys={V + "mm_patch_merge_type": ("flat", GGUFValueType.STRING)})
    encoding = flat.encode(photo("chelsea"))
    assert len(encoding.projected) == 5
    np.testing.assert_array_equal(encoding.pack(), encoding.projected.reshape(80, 128))


@pytest.mark.parametrize(
    "changes",
    [
        {"tensors": {"model.image_newline": "v.image_newline"}},
        {"drop": ("clip.projector_type",)},
        {"drop": ("clip.has_text_encoder", "clip.has_llava_projector")},
    ],
    ids=["newline's other name", "no projector type", "no flags"],
)
def test_spellings_of_the_same_file(variant, encoder, changes):
    ours, right = variant(**changes).encode(photo()), encoder.encode(photo())
    np.testing.assert_array_equal(ours.pack(), right.pack())


@pytest.mark.parametrize("layers", [1, 2])
def test_feature_layer_ends_the_tower_early(variant, encoder, layers):
    early = variant(keys={V + "feature_layer": [layers]}).encode(photo(), tuple(range(layers)))
    whole = encoder.encode(photo(), (0, 1, 2))
    for layer in range(layers):
        np.testing.assert_array_equal(early.attention[layer], whole.attention[layer])
    np.testing.assert_array_equal(early.attention_last, whole.attention[layers - 1])
    assert cosines(early.features, whole.features).max() < 0.999


def test_feature_layer_of_all_changes_nothing(variant, encoder):
    ours = variant(keys={V + "feature_layer": [3]}).encode(photo())
    np.testing.assert_array_equal(ours.features, encoder.encode(photo()).features)


@pytest.mark.parametrize("name", ["mm.2.bias", "v.blk.1.attn_q.weight", "v.position_embd.weight"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_damaged_weights_are_told(variant, name, value):
    damaged = variant(tensors={name: lambda values: np.full_like(values, value)})
    with pytest.raises(NumericError, match="NaN or infinity: the mmproj's weights are damaged"):
        damaged.encode(photo())


# Options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "CUDA9"}, r"\[device\] 'CUDA9' is not there; allowed: auto, cpu, gpu"),
        ({"flash_attention": "maybe"}, r"\[vision\] flash_attention 'maybe'; allowed: auto, on, off"),
    ],
)
def test_unknown_options(options, words):
    with pytest.raises(InputError, match=words):
        VisionEncoder(MMPROJ, **options)


def test_a_file_that_vanished_after_the_check(tmp_path):
    with pytest.raises(NativeError, match=r"\[vision\] .*gone\.gguf was not loaded: "):
        _core.VisionModel(str(tmp_path / "gone.gguf"))


def test_shape_of_the_pixels_is_checked(encoder):
    model = encoder._open()
    with pytest.raises(InputError, match=r"\[vision\] 27648 pixel values for 1 partitions of 9408"):
        model.encode(np.zeros((1, 3, 96, 96), np.float32), [0])
    with pytest.raises(InputError, match=r"\[vision\] 0 pixel values for 0 partitions"):
        model.encode(np.zeros((0, 3, 56, 56), np.float32), [0])
    with pytest.raises(InputError, match=r"\[vision\] attention layer 3; allowed: 0 to 2"):
        model.encode(np.zeros((1, 3, 56, 56), np.float32), [3])
    for wrong in (np.zeros((3, 56, 56), np.float32), "pixels", None):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            model.encode(wrong, [0])
