"""Pictures in the shapes of other servers' clients: read where it is plain, refused by name where not."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
from golden_pair import photo
from PIL import Image

from hired_gguf.errors import PromptError
from hired_gguf.images.load import load_image
from hired_gguf.images.sources import LoadedImage
from hired_gguf.prompt.messages import ImagePart, TextPart, parse_messages

PNG = photo().read_bytes()
B64 = base64.b64encode(PNG).decode()
JPEG_START = "/9j/4AAQSkZJRgABAQAAAQABAAD"
ARRAY = np.zeros((4, 4, 3), np.uint8)
PATH = str(photo())


def turn(**message):
    return parse_messages([{"role": "user", **message}])[0]


def pictures(**message):
    return [part.source for part in turn(**message).parts if isinstance(part, ImagePart)]


def same(source, right=PATH):
    return load_image(source).tobytes() == load_image(right).tobytes()


# Beside the content


@pytest.mark.parametrize(
    "given",
    [[B64], [PATH], [PNG], [f"data:image/png;base64,{B64}"], [photo()], (B64,), [{"url": PATH}], B64, PATH],
    ids=["base64", "path", "bytes", "data", "Path", "tuple", "dict", "one base64", "one path"],
)
@pytest.mark.parametrize("key", ["images", "image"])
def test_images_as_ollamas_clients_send_them(key, given):
    found = turn(content="Q", **{key: given})
    assert isinstance(found.parts[0], ImagePart)
    assert same(found.parts[0].source)
    assert found.parts[1:] == (TextPart("Q"),)
    assert key not in found.extra


def test_several_images_stand_in_front():
    found = turn(content=[{"type": "image", "image": "c.png"}, "Q"], images=["a.png", "b.png"])
    assert [getattr(part, "source", None) for part in found.parts] == ["a.png", "b.png", "c.png", None]
    assert [part.where for part in found.parts[:2]] == ["messages[0].images[0]", "messages[0].images[1]"]


@pytest.mark.parametrize("content", ["", None])
def test_images_without_words(content):
    assert pictures(content=content, images=["a.png"]) == ["a.png"]


def test_base64_is_told_from_a_path():
    assert pictures(content="Q", images=[JPEG_START]) == ["data:;base64," + JPEG_START]
    assert pictures(content="Q", images=["/9j/photos/cat.png"]) == ["/9j/photos/cat.png"]
    assert pictures(content="Q", images=["iVBORw0KGgoAAAANSUhEUg.png"]) == ["iVBORw0KGgoAAAANSUhEUg.png"]
    wrapped = "\n".join(B64[i : i + 20] for i in range(0, len(B64), 20))
    assert pictures(content="Q", images=[wrapped]) == ["data:;base64," + wrapped]


@pytest.mark.parametrize("empty", [None, [], "", ()])
@pytest.mark.parametrize("key", ["images", "image", "attachments", "files"])
def test_nothing_is_nothing(key, empty):
    assert turn(content="Q", **{key: empty}).parts == (TextPart("Q"),)


# Parts


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "url": PATH},
        {"type": "image", "path": PATH},
        {"type": "image", "image_url": PATH},
        {"type": "image", "image_url": {"url": PATH, "detail": "low"}},
        {"type": "image", "data": B64, "mimeType": "image/png"},
        {"type": "image", "base64": B64, "mime_type": "image/png"},
        {"type": "image", "source_type": "base64", "data": B64},
        {"type": "image", "image": B64},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": B64}},
        {"type": "image", "source": {"type": "url", "url": PATH}},
        {"type": "image", "image": {"format": "png", "source": {"bytes": PNG}}},
        {"type": "image_url", "image_url": PATH},
        {"type": "image_url", "image_url": f"data:image/png;base64,{B64}"},
        {"type": "image_url", "url": PATH},
        {"type": "input_image", "image_url": PATH, "detail": "auto"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{B64}"},
        {"image": PATH},
        {"image_url": {"url": PATH}},
        {"type": "image", "image": PATH, "url": None},
    ],
    ids=lambda part: "+".join(part) + ":" + str(part.get("type")),
)
def test_parts_of_other_clients(part):
    (source,) = pictures(content=[part, {"type": "input_text", "text": "Q"}])
    assert same(source)


@pytest.mark.parametrize("source", [PNG, ARRAY, Image.new("RGB", (2, 2)), photo()])
def test_other_sources_are_handed_on_as_they_are(source):
    assert pictures(content=[{"type": "image", "image": source}])[0] is source


# Refusals


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"attachments": ["a.png"]}, "messages[0].attachments is not read, and may hold a picture"),
        ({"files": [{"path": "a.png"}]}, "messages[0].files is not read"),
        ({"file": "a.png"}, "messages[0].file is not read"),
        ({"imageUrl": "a.png"}, "messages[0].imageUrl is not read"),
        ({"input_images": ["a.png"]}, "messages[0].input_images is not read"),
        ({"photo": PATH}, "messages[0].photo is not read"),
        ({"IMG": PATH}, "messages[0].IMG is not read"),
        ({"experimental_attachments": [{"url": PATH}]}, "messages[0].experimental_attachments is not read"),
        ({"data": PNG}, "messages[0].data is not read"),
        ({"x": [ARRAY]}, "messages[0].x is not read"),
        ({"x": Image.new("RGB", (1, 1))}, "messages[0].x is not read"),
        ({"x": LoadedImage(Image.new("RGB", (1, 1)))}, "messages[0].x is not read"),
        ({"inline_data": {"mime_type": "image/png", "data": B64}}, "messages[0].inline_data is not read"),
        ({"x": f"data:image/png;base64,{B64}"}, "messages[0].x is not read"),
        ({"images": [None]}, "messages[0].images[0] is None and holds no image"),
        ({"images": [7]}, "messages[0].images[0] is 7 and holds no image"),
        ({"images": True}, "messages[0].images is True and holds no image"),
        ({"images": [{"file_id": "f"}]}, "messages[0].images[0].file_id names a file on a server"),
    ],
)
def test_pictures_that_are_not_read_are_refused_by_name(message, words):
    with pytest.raises(PromptError, match=re.escape(words)):
        turn(content="Q", **message)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "input_image", "file_id": "file-1"}, ".content[0].file_id names a file on a server"),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, ".source.file_id names a file on a"),
        ({"type": "image", "image": "a.png", "url": "b.png"}, "holds image and url: one picture a part"),
        ({"type": "image"}, ".content[0].image holds no image"),
        ({"type": "image_url", "image_url": {"url": ""}}, ".content[0].image_url.url holds no image"),
        ({"type": "file", "file": {"file_data": B64}}, ".content[0].type is 'file'; allowed: 'text', "),
        ({"type": "document", "source": {}}, ".content[0].type is 'document'"),
        ({"type": "text", "text": "Q", "image": "a.png"}, ".content[0].image is not read"),
        ({"inline_data": {"data": B64}}, ".content[0].type is None"),
    ],
)
def test_parts_that_are_refused(part, words):
    with pytest.raises(PromptError, match=re.escape(words)):
        turn(content=[part])


@pytest.mark.parametrize("role", ["system", "assistant", "tool"])
def test_images_belong_to_users(role):
    with pytest.raises(PromptError, match=rf"messages\[0\]\.images\[0\] is an image in a {role} message"):
        parse_messages([{"role": role, "content": "x", "images": ["a.png"]}])


@pytest.mark.parametrize(
    "extra", [{"name": "Ann"}, {"profile": "x"}, {"media_type": "x"}, {"tool_call_id": "a"}, {"cache": True}]
)
def test_what_else_a_message_holds_stays(extra):
    assert turn(content="Q", **extra).extra == extra
