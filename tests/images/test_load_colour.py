"""Orientation, alpha, bit depth and colour modes: all become the same upright RGB."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from pictures import ORIENTATION, encoded, over_white, picture, pixels, png, with_alpha, with_orientation
from PIL import Image, ImageOps

from hired_gguf.errors import ImageError
from hired_gguf.images.load import load_image


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_all_orientations_give_the_same_pixels(format):
    options = {"lossless": True} if format == "WEBP" else {}
    for orientation in range(1, 9):
        data = with_orientation(picture(), orientation, format, **options)
        np.testing.assert_array_equal(pixels(data), np.asarray(picture()), str(orientation))
        np.testing.assert_array_equal(pixels(Image.open(BytesIO(data))), np.asarray(picture()))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_orientation(orientation):
    data = with_orientation(picture(), orientation, "JPEG", quality=95)
    expected = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    np.testing.assert_array_equal(pixels(data), np.asarray(expected))


def test_orientation_set_on_a_pil_image():
    image = picture()
    image.getexif()[ORIENTATION] = 6
    assert load_image(image).size == (24, 40)
    assert image.getexif()[ORIENTATION] == 6


def test_result_is_not_turned_again():
    image = load_image(with_orientation(picture(), 6, "JPEG"))
    assert ImageOps.exif_transpose(image).size == image.size == (40, 24)


def test_damaged_exif_is_ignored():
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f"):
        assert pixels(encoded(picture(), "PNG", exif=exif)).shape == (24, 40, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGBa", "La", "PA"])
def test_alpha_is_laid_over_white(mode):
    if mode == "PA":
        image = picture().quantize(16).convert("PA")
        image.putalpha(with_alpha().getchannel("A"))
        expected = over_white(image.convert("RGBA"))
    else:
        image = with_alpha().convert("LA") if mode in ("LA", "La") else with_alpha()
        expected = over_white(image.convert("RGBA"))
        image = image.convert(mode)
    assert image.mode == mode
    assert abs(pixels(image) - expected).max() <= 2


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_in_files(format):
    data = encoded(with_alpha(), format, **({"lossless": True, "exact": True} if format == "WEBP" else {}))
    assert abs(pixels(data) - over_white(with_alpha())).max() <= 2


def test_fully_transparent_is_white():
    assert (pixels(encoded(Image.new("RGBA", (3, 2), (9, 8, 7, 0)))) == 255).all()


@pytest.mark.parametrize("transparency", [1, b"\xff\x00\x80"])
def test_palette_transparency(transparency):
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 0, 200])
    image.putdata([0, 1, 2])
    got = pixels(encoded(image, transparency=transparency))
    third = [0, 0, 200] if transparency == 1 else [127, 127, 227]
    np.testing.assert_allclose(got[0], [[0, 0, 0], [255, 255, 255], third], atol=1)


@pytest.mark.parametrize(("mode", "key", "white"), [("RGB", (255, 0, 40), (39, 0)), ("L", 76, None)])
def test_transparent_colour(mode, key, white):
    image = picture().convert(mode)
    image.putpixel((39, 0), key)
    got = pixels(encoded(image, transparency=key))
    assert got[0, 39].tolist() == [255, 255, 255]
    assert got[0, 0].tolist() == list(image.convert("RGB").getpixel((0, 0)))


def test_sixteen_bit_grey_is_scaled_and_not_clipped():
    values = np.array([[0, 257, 40_000, 65_535]], np.uint16)
    expected = [0, 1, 156, 255]
    for format in ("PNG", "TIFF"):
        assert pixels(encoded(Image.fromarray(values), format))[0, :, 0].tolist() == expected
    assert pixels(Image.fromarray(values.astype(np.int32)))[0, :, 1].tolist() == expected


def test_sixteen_bit_grey_with_transparency():
    rows = b"\0" + struct.pack(">HHH", 0, 40_000, 65_535)
    data = png(3, 1, 16, 0, rows, (b"tRNS", struct.pack(">H", 40_000)))
    assert pixels(data)[0, :, 0].tolist() == [0, 255, 255]


def test_sixteen_bit_colour():
    data = png(2, 1, 16, 2, b"\0" + struct.pack(">6H", 0, 40_000, 65_535, 257, 5, 30_000))
    np.testing.assert_allclose(pixels(data)[0], [[0, 156, 255], [1, 0, 117]], atol=1)


@pytest.mark.parametrize("value", [-1, 65_536])
def test_integers_without_a_known_range(value):
    with pytest.raises(ImageError, match=r"outside 0\.\.65535"):
        load_image(Image.fromarray(np.full((2, 2), value, np.int32)))


def test_floating_point_is_refused():
    with pytest.raises(ImageError, match="floating point pixels"):
        load_image(Image.new("F", (2, 2), 0.5))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_colour_modes(mode):
    plain = Image.new("RGB", (2, 2), (255, 255, 255) if mode == "1" else (200, 120, 40))
    image = plain.convert(mode, palette=Image.Palette.ADAPTIVE)
    expected = plain.convert("L").convert("RGB") if mode == "L" else plain
    np.testing.assert_allclose(pixels(image), np.asarray(expected), atol=4)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_files(format):
    data = encoded(Image.new("RGB", (16, 16), (200, 120, 40)).convert("CMYK"), format)
    np.testing.assert_allclose(pixels(data)[8, 8], [200, 120, 40], atol=6)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation(format):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert Image.open(BytesIO(data)).n_frames == 3
    assert (pixels(data) == [255, 0, 0]).all()
