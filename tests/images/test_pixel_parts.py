"""Files whose parts beside the pixels are odd: a picture all the same. Files whose pixels are cut: none."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import pytest
from pictures import ORIENTATION, encoded, picture, pixels, with_orientation
from PIL import Image, ImageFile

from hired_gguf.errors import ImageError
from hired_gguf.images.load import _warn_of_truncated, load_image

BOMB = zlib.compress(bytes(20 << 20))
RIGHT = np.asarray(picture())
PNG = encoded(picture())
JPEG = encoded(picture(), "JPEG", quality=95)
EXIF = Image.Exif()
EXIF[ORIENTATION] = 1
EXIF[0x010E] = "a description"


def chunk(kind, body, crc=None):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc or zlib.crc32(kind + body))


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


# PNG

ODD_CHUNKS = {
    "text above Pillow's MAX_TEXT_CHUNK": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "text of 2 MB": chunk(b"tEXt", b"Comment\0" + bytes(2 << 20)),
    "packed XMP above it": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
    "packed EXIF above it": chunk(b"zTXt", b"Raw profile type exif\0\0" + BOMB),
    "text above Pillow's MAX_TEXT_MEMORY": chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 20))) * 70,
    "a colour profile above MAX_TEXT_CHUNK": chunk(b"iCCP", b"icc\0\0" + BOMB),
    "a colour profile of nothing": chunk(b"iCCP", b""),
    "a colour profile packed otherwise": chunk(b"iCCP", b"icc\0\7abc"),
    "a wrong checksum in text": chunk(b"tEXt", b"Comment\0hello", 7),
    "a wrong checksum in EXIF": chunk(b"eXIf", EXIF.tobytes()[6:], 7),
    "a wrong checksum in what nobody knows": chunk(b"prVt", b"hello", 7),
    "damaged EXIF": chunk(b"eXIf", b"II*\0zzz"),
    "EXIF in text that is no hexadecimal": chunk(b"tEXt", b"Raw profile type exif\0a\nb\nc\nzz"),
    "XMP that is not UTF-8": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0\xff"),
    "short chunks of known names": b"".join(
        chunk(kind, b"") for kind in (b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"acTL", b"fcTL", b"fdAT", b"tIME")
    ),
}


@pytest.mark.parametrize("odd", ODD_CHUNKS)
@pytest.mark.parametrize("at", [33, len(PNG) - 12], ids=["before the pixels", "behind them"])
def test_a_png_with(odd, at):
    np.testing.assert_array_equal(pixels(PNG[:at] + ODD_CHUNKS[odd] + PNG[at:]), RIGHT)


def test_a_png_with_a_wrong_last_checksum_or_something_behind():
    np.testing.assert_array_equal(pixels(PNG[:-4] + b"abcd"), RIGHT)
    np.testing.assert_array_equal(pixels(PNG + b"a trailer" * 99), RIGHT)


def test_a_million_chunks_cost_a_second():
    data = PNG[:33] + chunk(b"tEXt", b"k\0x") * 1_000_000 + PNG[33:]
    start = time.process_time()
    np.testing.assert_array_equal(pixels(data), RIGHT)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS"])
def test_a_wrong_checksum_where_pixels_depend_on_it(kind):
    data = bytearray(encoded(picture().quantize(8), transparency=0))
    at = data.index(kind) + 4
    at += struct.unpack_from(">I", data, at - 8)[0]
    data[at] ^= 1
    with pytest.raises(ImageError, match=f"bad header checksum in b'{kind.decode()}'"):
        load_image(bytes(data))


def test_orientation_in_every_place_stays():
    for orientation in (3, 6, 8):
        xmp = f'<x tiff:Orientation="{orientation}"/>'.encode()
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        raw = b"\nexif\n   9\n" + exif.tobytes().hex().encode() + b"\n"
        turned = pixels(PNG[:33] + chunk(b"eXIf", exif.tobytes()[6:]) + PNG[33:])
        for odd in (
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
            chunk(b"tEXt", b"Raw profile type exif\0" + raw),
            chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
        ):
            np.testing.assert_array_equal(pixels(PNG[:33] + odd + PNG[33:]), turned)
        jpeg = JPEG[:2] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp) + JPEG[2:]
        assert load_image(jpeg).size == turned.shape[1::-1]
        webp = with_orientation(picture(), orientation, "WEBP", lossless=True)
        np.testing.assert_array_equal(pixels(webp), RIGHT)


# JPEG

ODD_SEGMENTS = {
    "EXIF cut in its middle": segment(0xE1, EXIF.tobytes()[:30]),
    "EXIF of nothing": segment(0xE1, b"Exif\0\0"),
    "a damaged list of a panorama's pictures": segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
    "a colour profile without its other parts": segment(0xE2, b"ICC_PROFILE\0\x02\x09" + bytes(99)),
    "a colour profile of nothing": segment(0xE2, b"ICC_PROFILE"),
    "damaged Photoshop data": segment(0xED, b"Photoshop 3.0\x008BIM\x04"),
    "a short JFIF header": segment(0xE0, b"JFIF\0"),
    "a short Adobe header": segment(0xEE, b"Adobe"),
    "a segment shorter than its length": b"\xff\xe5\0\0",
    "fill bytes": b"\xff" * 50,
    "a comment with end marks": segment(0xFE, b"\xff\xd9" * 9),
}


@pytest.mark.parametrize("odd", ODD_SEGMENTS)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_jpeg_with(odd):
    np.testing.assert_array_equal(pixels(JPEG[:2] + ODD_SEGMENTS[odd] + JPEG[2:]), pixels(JPEG))


TRAILERS = {
    "Samsung's": b"\0\0\1\x0a\x0e\0\0\0Image_UTC_Data1" + bytes(40) + b"SEFH\x6a\0\0\0" + bytes(24) + b"SEFT",
    "a film": struct.pack(">I4s", 24, b"ftyp") + b"mp42\0\0\0\0mp42isom" + bytes(500),
    "another picture": b"\0\0" + JPEG,
    "the next picture at once": JPEG,
    "zeros": bytes(1000),
    "fill bytes": b"\xff" * 100,
    "what looks like a segment": b"abc\xff\xe1\0\x10defghijklmnop\xff\0",
}


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
@pytest.mark.parametrize("trailer", TRAILERS)
def test_a_jpeg_with_a_trailer_behind_its_end_mark_or_where_that_is_lost(trailer, progressive):
    for source in (picture(64, 48), Image.effect_noise((64, 48), 50), Image.new("RGB", (64, 48), "red")):
        data = encoded(source, "JPEG", progressive=progressive)
        right = pixels(data)
        np.testing.assert_array_equal(pixels(data + TRAILERS[trailer]), right)
        np.testing.assert_array_equal(pixels(data[:-2] + TRAILERS[trailer]), right)


def test_a_file_of_several_jpegs_gives_the_first(tmp_path):
    others = [Image.new("RGB", (40, 24), colour) for colour in ("red", "blue")]
    data = encoded(picture(), "MPO", save_all=True, append_images=others, quality=95)
    right = pixels(JPEG)
    for part in (data, data[:-500], data.replace(b"\xff\xd9", b"", 1)):
        np.testing.assert_array_equal(pixels(part), right)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"progressive": True, "quality": 95}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
@pytest.mark.parametrize("kind", ["smooth", "noise", "red"])
def test_a_cut_at_any_byte_is_an_error(format, options, kind):
    images = {
        "smooth": picture(64, 48),
        "noise": Image.effect_noise((32, 24), 50),
        "red": Image.new("RGB", (64, 48), "red"),
    }
    data = encoded(images[kind].convert("RGB"), format, **options)
    for length in range(len(data)):
        with pytest.raises(ImageError):
            load_image(data[:length])


def test_a_jpeg_whose_pixel_data_ends_in_a_foreign_mark_is_damaged():
    data = encoded(Image.effect_noise((64, 64), 50), "JPEG")
    at = len(data) * 2 // 3
    with pytest.raises(ImageError, match="its pixel data is truncated"):
        load_image(data[:at] + b"\xff\x3f" + data[at + 2 :])


# WebP, TIFF, GIF, BMP


def test_a_webp_with_odd_parts():
    data = encoded(picture(), "WEBP", lossless=True, exif=EXIF, icc_profile=b"odd", xmp=b"<x/>" * 20)
    plain = encoded(picture(), "WEBP", lossless=True)
    end = data.index(b"EXIF")
    cases = [data[:length] for length in range(end, len(data))]  # cut in what stands behind the pixels
    cases += [data + b"junk", plain + b"junk" * 9]
    cases += [plain[:4] + struct.pack("<I", size) + plain[8:] for size in (0, 12, len(plain), 2**32 - 1)]
    for case in cases:
        np.testing.assert_array_equal(pixels(case), RIGHT)


def test_an_animated_webp_gives_its_first_frame_also_when_cut_later():
    frames = [Image.new("RGB", (40, 24), colour) for colour in ("red", "blue")]
    data = encoded(picture(), "WEBP", save_all=True, append_images=frames, lossless=True)
    for case in (data, data[:-20]):
        np.testing.assert_array_equal(pixels(case), RIGHT)


def tiff(tag, kind, count, value, **options):
    """A TIFF with one more entry in its directory."""
    data = bytearray(encoded(picture(), "TIFF", **options))
    data += b"\0" * (len(data) % 2)
    start = struct.unpack_from("<I", data, 4)[0]
    count_there = struct.unpack_from("<H", data, start)[0]
    entries = [bytes(data[start + 2 + 12 * i :][:12]) for i in range(count_there)]
    entries = sorted([*entries, struct.pack("<HHII", tag, kind, count, value)], key=lambda e: e[1::-1])
    struct.pack_into("<I", data, 4, len(data))
    return bytes(data + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))


@pytest.mark.parametrize("tag", [254, 255, 269, 271, 305, 700, 33432, 34377, 34665, 34675, 65000])
@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["raw", "lzw"])
def test_a_tiff_with_a_bad_entry_that_is_not_about_pixels(tag, options):
    for kind, count, value in ((2, 100, 0x7FFFFFFF), (2, 10**6, 8), (13, 1, 0xFFFFFFF0), (99, 1, 0)):
        np.testing.assert_array_equal(pixels(tiff(tag, kind, count, value, **options)), RIGHT)


@pytest.mark.parametrize("format", ["GIF", "TIFF", "BMP"])
def test_other_formats_with_something_behind(format):
    data = encoded(picture(), format)
    np.testing.assert_array_equal(pixels(data + b"\0junk" * 99), pixels(data))


def test_a_word_is_said_where_somebody_lets_pillow_read_cut_files(monkeypatch, caplog):
    data = encoded(picture(), "BMP")
    _warn_of_truncated.cache_clear()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for _ in range(2):
        load_image(data[:-100])
    assert caplog.text.count("LOAD_TRUNCATED_IMAGES is set in this process") == 1
    for format in ("PNG", "JPEG", "WEBP"):
        data = encoded(Image.effect_noise((64, 64), 60), format)
        with pytest.raises(ImageError, match="is cut short"):
            load_image(data[: len(data) * 2 // 3])
