"""Image files of every format: right pixels, or an ImageError that says what is wrong."""

from __future__ import annotations

import base64
import struct
import time

import numpy as np
import pytest
from pictures import encoded, picture, pixels, png
from PIL import Image, PngImagePlugin

from hired_gguf.errors import ImageError
from hired_gguf.images.load import load_image


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 12),
        ("JPEG", {"quality": 95}, 12),
        ("JPEG", {"quality": 95, "progressive": True}, 12),
        ("GIF", {}, 40),
    ],
)
def test_formats(format, options, tolerance):
    expected = np.asarray(picture(), int)
    got = pixels(encoded(picture(), format, **options))
    assert got.shape == expected.shape
    assert abs(got - expected).max() <= tolerance


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 4000), (4000, 1), (337, 336)])
def test_odd_sizes(size):
    assert load_image(encoded(picture(*size))).size == size


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("part", ["third", "half", "all but one byte", "all but 20 bytes"])
def test_truncation(format, part):
    data = encoded(picture(), format)
    keep = {"third": len(data) // 3, "half": len(data) // 2, "all but one byte": -1, "all but 20 bytes": -20}
    with pytest.raises(ImageError, match=r"cut short|damaged"):
        load_image(data[: keep[part]])


@pytest.mark.parametrize("format", ["BMP", "GIF", "TIFF"])
def test_truncation_of_other_formats(format):
    data = encoded(picture(), format)
    with pytest.raises(ImageError, match="damaged"):
        load_image(data[: len(data) * 2 // 3])


def test_truncated_jpeg_whose_metadata_holds_an_end_mark():
    data = encoded(picture(200, 200), "JPEG", comment=b"\xff\xd9")
    with pytest.raises(ImageError, match="truncated"):
        load_image(data[: len(data) * 2 // 3])


def test_damaged_png_data():
    data = bytearray(encoded(Image.effect_noise((64, 64), 50)))
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageError, match="damaged"):
        load_image(bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff",
        b"just text, no picture",
        b"%PDF-1.7\n1 0 obj",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"ID3\x04\0\0\0\0\0\0",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"P6 1 1 255\n\0\0\0",
    ],
)
def test_other_content_is_refused_and_starts_no_program(data, tmp_path, monkeypatch):
    for name in ("ffprobe", "ffmpeg", "gs"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n: > {tmp_path}/started\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match=f"^<bytes, {len(data)} bytes>: "):
        load_image(data)
    assert not (tmp_path / "started").exists()


def test_empty():
    with pytest.raises(ImageError, match="<bytes, 0 bytes>: is empty"):
        load_image(b"")


def test_messages_hold_no_memory_address(monkeypatch):
    def fail(self):
        raise OSError("cannot read <_io.BytesIO object at 0x7f0123456789>")

    data = encoded(picture())
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", fail)
    with pytest.raises(ImageError, match=r"cannot read <_io\.BytesIO object at>"):
        load_image(data)


@pytest.mark.parametrize("size", [(20_000, 20_000), (12_000, 12_000), (65_536, 1), (2**31 - 1, 2**31 - 1)])
def test_declared_size_is_refused_before_decoding(size, monkeypatch):
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: pytest.fail("decoded"))
    start = time.monotonic()
    with pytest.raises(ImageError, match=f"has {size[0]} x {size[1]} pixels, allowed are 100000000"):
        load_image(png(*size, 1, 0))
    assert time.monotonic() - start < 0.5


def test_gif_and_bmp_of_declared_size():
    with pytest.raises(ImageError, match="60000 x 60000"):
        load_image(b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + b"\0\0\0,\0\0\0\0\1\0\1\0\0\2\2L\1\0;")
    data = bytearray(encoded(picture(), "BMP"))
    data[18:26] = struct.pack("<ii", 30_000, 30_000)
    with pytest.raises(ImageError, match="30000 x 30000"):
        load_image(bytes(data))


def test_pixel_limit_is_inclusive_for_every_kind_of_source():
    image = picture(40, 24)
    for source in (image, np.asarray(image), encoded(image)):
        assert load_image(source, max_pixels=960).size == (40, 24)
        with pytest.raises(ImageError, match="has 40 x 24 pixels, allowed are 959"):
            load_image(source, max_pixels=959)


def test_sizes_that_pillow_warns_about_or_refuses_are_ours_to_decide(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert load_image(encoded(picture())).size == (40, 24)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_byte_limit(tmp_path):
    data = encoded(picture())
    path = tmp_path / "a.png"
    path.write_bytes(data)
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    for source in (data, path, url):
        assert load_image(source, max_bytes=len(data)).size == (40, 24)
        with pytest.raises(ImageError, match=f"has {len(data)} bytes, allowed are {len(data) - 1}"):
            load_image(source, max_bytes=len(data) - 1)
