"""data: URLs as encoders write them: what browsers read is read, and what they reject is an ImageError."""

from __future__ import annotations

import base64
from urllib.parse import quote

import numpy as np
import pytest
from pictures import encoded, pixels
from PIL import Image

from hired_gguf.errors import ImageError
from hired_gguf.images.data_urls import from_base64, is_data_url
from hired_gguf.images.load import load_image
from hired_gguf.images.sources import describe
from hired_gguf.qa.task import make_task

DATA = encoded(Image.effect_noise((41, 24), 90).convert("RGB"))
RIGHT = pixels(DATA)
CODE = base64.b64encode(DATA).decode()
LINES = base64.encodebytes(DATA).decode()  # a line break every 76 characters, as in mail
URL_SAFE = base64.urlsafe_b64encode(DATA).decode()
assert {"-", "_"} & set(URL_SAFE)
assert CODE.endswith("=")


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{LINES}",
        f"data:image/png;base64,{LINES.replace(chr(10), chr(13) + chr(10))}",
        f"data:image/png;base64,{quote(LINES)}",
        f"data:image/png;base64, {CODE}",
        f"data:image/png;base64,\t{CODE} \x0c",
        f"data:image/png;base64,%20{CODE}",
        f" \n data:image/png;base64,{CODE}\n",
        f"data:image/png;base64,{URL_SAFE}",
        f"data:image/png;base64,{URL_SAFE.rstrip('=')}",
        f"data:image/png;base64,{CODE.rstrip('=')}",
        f"data:image/png;base64,{CODE}==",
        f"data:image/png;base64,{CODE.replace('=', '%3D').replace('+', '%2B')}",
        f"data:image/png;base64,{CODE}#fragment",
        f"data:image/png; base64,{CODE}",
        f"data:image/png ;BASE64 ,{CODE}",
        f"DATA:IMAGE/PNG;BASE64,{CODE}",
        f'"data:image/png;base64,{CODE}"',
        f"<data:image/png;base64,{CODE}>",
        f"\ufeffdata:image/png;base64,{CODE}\u00a0",
        "data:image/png;base64," + LINES.replace("\n", "\\n"),
        f"data:;base64,{CODE}",
        f"data:base64,{CODE}",
        f"data:,{CODE}",
        f"data:image/png,{CODE}",
        f"data:image/png;base64;charset=utf-8,{CODE}",
        f"data:image/png;name=a.png;base64,{CODE}",
        f"data:image/jpg;base64,{CODE}",
        f"data:png;base64,{CODE}",
        f"data:text/plain;base64,{CODE}",
        f"data:application/pdf;base64,{CODE}",
        f"data:*/*;base64,{CODE}",
        f"data:application/octet-stream,{quote(DATA, safe='')}",
        f"data:,{quote(DATA)}",
    ],
)
def test_what_browsers_and_their_kin_read(url):
    np.testing.assert_array_equal(pixels(url), RIGHT)
    assert describe(url) == f"data: URL of {len(url)} characters"
    assert make_task({"image": url, "question": "q"}, 1).image_label == describe(url)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("data:image/png;base64", "has no comma"),
        ("data:image/png;base64,iVBO!RRR", "damaged base64"),
        ("data:image/png;base64,iVB=ORRR", "damaged base64"),
        ("data:image/png;base64,iVBOR", "damaged base64"),
        ("data:image/png;base64,%FF", "damaged base64"),
        ("data:image/png;base64,====", "is empty"),
        ("data:image/png,%", "is not one of"),
        ("data:text/html,<b>", "holds text/html, not an image"),
        ("data:video/mp4;base64,AAAA", "holds video/mp4, not an image"),
        ("data:;base64,AAAA", "is not one of"),
        (f"data:image/png;base64,{CODE[: len(CODE) // 2]}", "cut short"),
    ],
)
def test_what_they_reject(url, text):
    with pytest.raises(ImageError, match=text) as caught:
        load_image(url)
    assert str(caught.value).startswith(f"data: URL of {len(url)} characters")


@pytest.mark.parametrize("length", range(12))
def test_base64_of_every_length(length):
    data = bytes(range(250, 250 - length, -1))
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert from_base64(encode(data)) == from_base64(encode(data).rstrip(b"=")) == data


def test_which_texts_are_data_urls():
    assert is_data_url(" DATA:")
    assert not is_data_url("database.png")


def test_a_file_of_that_name_is_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data:1.png").write_bytes(DATA)
    assert load_image("data:1.png").size == (41, 24)
