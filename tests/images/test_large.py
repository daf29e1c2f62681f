"""Pictures above the pixel limit: an option, and JPEGs that are decoded at half their size."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
from command_line import PAIR
from golden_pair import MMPROJ, TEXT
from pictures import encoded, with_orientation
from PIL import Image

from hired_gguf import HiREDChatHandler, LlavaNext, VisionEncoder
from hired_gguf.errors import ImageError, InputError
from hired_gguf.explain.overlay import overlay
from hired_gguf.images.load import HALVED_PIXELS, MAX_PIXELS, load_image
from hired_gguf.images.samples import photograph
from hired_gguf.native.load import core
from hired_gguf.vision.preprocess import preprocess

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

LIMIT = 12_000_000
PINPOINTS = [(336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008)]


@pytest.fixture(scope="module")
def large():
    """A JPEG of 5000 x 3600 pixels, which is more than LIMIT and less than twice that."""
    return encoded(photograph(500, 360).resize((5000, 3600)), "JPEG", quality=90)


def test_a_jpeg_above_the_limit_is_halved(large):
    assert LIMIT < 5000 * 3600 < 2 * LIMIT
    assert load_image(large).size == (5000, 3600)
    half = load_image(large, max_pixels=LIMIT)
    assert half.size == (2500, 1800)
    exact = load_image(large).resize(half.size, Image.Resampling.BOX)
    assert abs(np.asarray(half, int) - np.asarray(exact)).mean() < 1


def test_at_the_limit_nothing_is_reduced(large):
    assert load_image(large, max_pixels=5000 * 3600).size == (5000, 3600)
    for size in ((4000, 3000), (3000, 4000)):
        data = encoded(Image.new("RGB", size), "JPEG")
        assert load_image(data, max_pixels=LIMIT).size == size


def test_the_model_sees_nearly_the_same(large):
    seen = []
    for picture in (load_image(large), load_image(large, max_pixels=LIMIT)):
        tiling = core.make_tiling((picture.height, picture.width), PINPOINTS, 336, 14, True)
        seen.append(255 * preprocess(picture, tiling, (0, 0, 0), (1, 1, 1)))
    difference = abs(seen[0] - seen[1])
    assert difference.mean() < 0.1
    assert difference.max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_other_jpegs_are_halved_and_turned(mode, progressive):
    image = Image.new(mode, (5000, 4000))
    data = with_orientation(image, 6, "JPEG", progressive=progressive)
    assert load_image(data, max_pixels=LIMIT).size == (2500, 2000)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_other_formats_are_decoded_within_the_limit_or_not(format):
    data = encoded(Image.new("L", (800, 500)), format)
    assert load_image(data, max_pixels=400_000).size == (800, 500)
    with pytest.raises(
        ImageError, match=r"has 800 x 500 pixels, allowed are 399999 pixels \(see max_pixels, "
    ):
        load_image(data, max_pixels=399_999)


def test_what_stays_too_large_and_what_would_become_too_small():
    with pytest.raises(ImageError, match="has 5000 x 5000 pixels, allowed are 12000000 pixels"):
        load_image(encoded(Image.new("L", (5000, 5000)), "JPEG"), max_pixels=LIMIT)
    small = encoded(Image.new("L", (800, 500)), "JPEG")
    assert 4 * HALVED_PIXELS > 800 * 500
    with pytest.raises(ImageError, match="has 800 x 500 pixels, allowed are 399999 pixels"):
        load_image(small, max_pixels=399_999)


def declared(width, height):
    """A small JPEG whose header says that size."""
    data = bytearray(encoded(Image.new("L", (16, 16)), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


def test_pictures_of_phones_are_within_the_default_and_bombs_are_not():
    assert load_image(declared(12_000, 9_000)).size == (6_000, 4_500)
    assert 2 * MAX_PIXELS > 16_320 * 12_240
    for size in ((20_000, 12_000), (65_500, 65_500)):
        with pytest.raises(ImageError, match=f"has {size[0]} x {size[1]} pixels, allowed are {MAX_PIXELS}"):
            load_image(declared(*size))


def test_a_source_that_was_opened_by_somebody_else_is_never_reduced(large):
    with Image.open(BytesIO(large)) as image:
        with pytest.raises(ImageError, match="has 5000 x 3600 pixels"):
            load_image(image, max_pixels=LIMIT)
        assert load_image(image).size == (5000, 3600)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "9", None, True])
def test_a_limit_that_is_none(wrong):
    makers = (
        lambda: load_image(b"", max_pixels=wrong),
        lambda: HiREDChatHandler(MMPROJ, max_pixels=wrong),
        lambda: VisionEncoder(MMPROJ, max_pixels=wrong),
    )
    for make in makers:
        with pytest.raises(InputError, match=r"max_pixels is .*; allowed: a whole number of at least 1"):
            make()


def test_the_option_reaches_every_place_where_a_picture_is_loaded(tmp_path):
    data = encoded(Image.new("RGB", (400, 300)))
    said = "has 400 x 300 pixels, allowed are 119999 pixels"
    encoder = VisionEncoder(MMPROJ, max_pixels=119_999, n_threads=1)
    with encoder, pytest.raises(ImageError, match=said):
        encoder.encode(data)
    with LlavaNext(TEXT, MMPROJ, max_pixels=119_999, n_threads=1) as llm:
        with pytest.raises(ImageError, match=said):
            llm.ask(data, "q")
        (record,) = llm.ask_many([{"image": data, "question": "q"}])
        assert said in record["error"]["message"]


def test_a_halved_picture_can_be_drawn(large):
    with VisionEncoder(MMPROJ, n_threads=1, max_pixels=10**8) as encoder:
        assert overlay(encoder.encode(large).select(0.2), large).width


def test_commands_and_the_variable(tmp_path, run, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.new("RGB", (400, 300))))
    (tmp_path / "t.jsonl").write_text(json.dumps({"image": "a.png", "question": "q", "answer": "a"}))
    ask = ("ask", str(path), "q")
    commands = (
        ask,
        ("chat", str(path)),
        ("explain", str(path)),
        ("eval", "--tasks", str(tmp_path / "t.jsonl")),
    )
    for command in commands:
        pair = PAIR if command[0] != "explain" else PAIR[2:]
        code, _, err = run(*command, *pair, "--max-pixels", "119999")
        assert code == 1
        assert "has 400 x 300 pixels, allowed are 119999 pixels" in err
    tasks = ("qa", "--images", str(path), "--question", "q", *PAIR)
    assert "allowed are 119999" in run(*tasks, "--max-pixels", "119999")[1]
    monkeypatch.setenv("HIRED_GGUF_MAX_PIXELS", "119999")
    assert run(*ask, *PAIR)[0] == 1
    assert run(*ask, *PAIR, "--max-pixels", "120000", "--max-tokens", "1")[0] == 0
