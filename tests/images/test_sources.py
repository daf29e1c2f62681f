"""Every kind of image source: paths, URLs, arrays, PIL images."""

from __future__ import annotations

import base64
import os
import time
from io import BytesIO
from urllib.parse import quote

import numpy as np
import pytest
from pictures import encoded, over_white, picture, pixels, with_alpha, with_orientation
from PIL import Image

from hired_gguf.errors import ImageError
from hired_gguf.images.load import load_image
from hired_gguf.images.sources import describe


def test_path_and_file_url(tmp_path, monkeypatch):
    path = tmp_path / "a b#%?\u00e9.jpg"  # a PNG all the same
    path.write_bytes(encoded(picture()))
    monkeypatch.chdir(tmp_path)
    urls = [path.as_uri(), "FILE://localhost" + quote(str(path)), "file:" + quote(path.name)]
    for source in (path, str(path), path.name, *urls):
        np.testing.assert_array_equal(pixels(source), np.asarray(picture()))


def test_file_name_that_is_not_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff.png"
    try:
        with open(path, "wb") as file:
            file.write(encoded(picture()))
    except OSError:
        pytest.skip("the file system wants UTF-8")
    assert load_image(os.fsdecode(path)).size == (40, 24)
    assert load_image("file://" + quote(path)).size == (40, 24)
    os.unlink(path)
    with pytest.raises(ImageError, match="no such file") as caught:
        load_image(os.fsdecode(path))
    str(caught.value).encode()


def test_what_is_not_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("/dev/zero")
    cases = {
        tmp_path: "is not a regular file",
        tmp_path / "fifo": "is not a regular file",
        "/dev/zero": "is not a regular file",
        tmp_path / "link": "is not a regular file",
        tmp_path / "loop": "cannot be read",
        tmp_path / "missing.png": "no such file",
        "": "no such file",
        "a\0b": "null byte",
        "x" * 5000: "cannot be read",
        (tmp_path / "loop").as_uri(): "cannot be read",
    }
    start = time.monotonic()
    for source, text in cases.items():
        with pytest.raises(ImageError, match=text) as caught:
            load_image(source)
        assert str(caught.value).startswith(describe(source))
    assert time.monotonic() - start < 1


def test_sparse_file(tmp_path):
    path = tmp_path / "sparse.png"
    with open(path, "wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(ImageError, match="has 5368709120 bytes, allowed are 67108864"):
        load_image(path)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("file://server/share/a.png", "cannot name another host"),
        ("ftp://example.org/a.png", "only file:, data:, http: and https:"),
        ("gopher://example.org", "only file:, data:"),
        ("https://user:secret@example.org/a.png?token=secret", "allow_http=True"),
    ],
)
def test_urls_that_are_not_read(url, text):
    with pytest.raises(ImageError, match=text) as caught:
        load_image(url)
    assert "secret" not in str(caught.value)


def test_data_urls():
    data = encoded(picture())
    code = base64.b64encode(data).decode()
    for url in (
        f"data:image/png;base64,{code}",
        f"DATA:image/PNG;charset=utf-8;BASE64,{code}",
        f"data:;base64,{code}",
        f"data:application/octet-stream;base64,{code}",
        f"data:image/jpeg;base64,{code}",
        f"data:image/png;base64,{quote(code, safe='')}",
        f"data:image/png,{quote(data, safe='')}",
    ):
        np.testing.assert_array_equal(pixels(url), np.asarray(picture()))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("data:image/png;base64", "has no comma"),
        ("data:", "has no comma"),
        ("data:image/png;base64,@@@@", "damaged base64"),
        ("data:image/png;base64,iVBO RRR", "is not one of JPEG, PNG"),
        ("data:image/png;base64,iVBOR", "damaged base64"),
        ("data:image/png;base64,\u00e4\u00e4\u00e4\u00e4", "damaged base64"),
        ("data:image/png;base64,", "is empty"),
        ("data:text/html;base64,PGI+", "holds text/html, not an image"),
        ("data:image/png,nothing", "is not one of JPEG, PNG"),
        ("data:image/png;base64,iVBORw0KGgo=,iVBORw0KGgo=", "damaged base64"),
    ],
)
def test_bad_data_urls(url, text):
    with pytest.raises(ImageError, match=f"^data: URL of {len(url)} characters: .*{text}"):
        load_image(url)


def test_arrays():
    array = np.asarray(picture())
    np.testing.assert_array_equal(pixels(array), array)
    np.testing.assert_array_equal(pixels(array[::-1, ::-2]), array[::-1, ::-2])
    np.testing.assert_array_equal(pixels(np.asfortranarray(array)), array)
    np.testing.assert_array_equal(pixels(array[..., ::-1]), array[..., ::-1])
    rgba = np.asarray(with_alpha())
    assert abs(pixels(rgba) - over_white(rgba)).max() <= 2


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.zeros((2, 3, 3), np.float32), r"got float32 \[2, 3, 3\]"),
        (np.zeros((2, 3, 3), np.int64), r"got int64 \[2, 3, 3\]"),
        (np.zeros((2, 3), np.uint8), r"got uint8 \[2, 3\]"),
        (np.zeros((2, 3, 5), np.uint8), r"got uint8 \[2, 3, 5\]"),
        (np.zeros((1, 2, 3, 3), np.uint8), r"got uint8 \[1, 2, 3, 3\]"),
        (np.zeros((0, 3, 3), np.uint8), r"got uint8 \[0, 3, 3\]"),
    ],
)
def test_arrays_of_other_kinds(array, got):
    with pytest.raises(ImageError, match=r"expected a uint8 array \[H, W, 3\] or \[H, W, 4\], " + got):
        load_image(array)


def test_other_python_objects():
    for source in (None, 3, ["a.png"]):
        with pytest.raises(ImageError, match="expected a path, a URL, bytes, a PIL image or a uint8 array"):
            load_image(source)


def test_closed_and_lazy_pil_images(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture()))
    with Image.open(path) as image:
        assert load_image(image).size == (40, 24)
    with Image.open(path) as image:
        pass
    with pytest.raises(ImageError, match="<PIL image RGB 40 x 24>: "):
        load_image(image)


def test_the_source_is_not_changed_and_shares_nothing():
    palette = picture().quantize(8)
    palette.info["transparency"] = bytes(range(8))
    turned = Image.open(BytesIO(with_orientation(picture(), 6, "PNG")))
    for image in (picture(), with_alpha(), palette, turned):
        copy, before = image.copy(), (image.mode, image.size, image.tobytes(), dict(image.info))
        result = load_image(image)
        result.putpixel((0, 0), (1, 2, 3))
        assert (image.mode, image.size, image.tobytes(), image.info) == before
        assert image.palette is None or image.im.getpalette("RGBA") == copy.im.getpalette("RGBA")
    array = np.array(with_alpha())
    result = load_image(array)
    expected = np.array(result)
    array[:] = 7
    np.testing.assert_array_equal(np.asarray(result), expected)


def test_describe():
    assert describe(b"123") == "<bytes, 3 bytes>"
    assert describe(np.zeros((2, 3, 3), np.uint8)) == "<array uint8 [2, 3, 3]>"
    assert describe(picture()) == "<PIL image RGB 40 x 24>"
    assert describe("data:image/png;base64,AAAA") == "data: URL of 26 characters"
    assert describe("http://u:p@h/a.png?key=1") == "'http://h/a.png'"
    assert describe(None) == "<NoneType>"
    assert len(describe("x" * 10_000)) < 300
