"""Paths as people and terminals write them, wherever a path is taken."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

import pytest
from golden_pair import MMPROJ, TEXT, photo
from pictures import encoded, picture

from hired_gguf import LlavaNext, VisionEncoder
from hired_gguf.console import option_sources, option_types
from hired_gguf.errors import ImageError, InputError
from hired_gguf.evaluation import read_pictures
from hired_gguf.files import given_path, user_folder
from hired_gguf.images.load import load_image
from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.qa.inputs import every_question, read_tasks
from hired_gguf.qa.schema import load_schema
from hired_gguf.vision.cache_folder import EncodingFolder

NAME = "it's my (first) photo #1 \u00e9.png"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder with a picture of a difficult name; the current folder is another."""
    folder = tmp_path / "my home"
    folder.mkdir()
    (folder / NAME).write_bytes(encoded(picture()))
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def forms(path):
    """How shells, terminals, file managers and people write a path."""
    text = str(path)
    backslashed = "".join("\\" + c if c in " '()#" else c for c in text)
    return {
        "as it is": text,
        "blanks about it": f"  {text}\n",
        "double quotes": f'"{text}"',
        "single quotes, as GNOME's terminal": "'" + text.replace("'", "'\\''") + "' ",
        "backslashes, as macOS's terminal": backslashed + " ",
        "quotes of a word processor": f"\u201c{text}\u201d",
        "a URL": path.as_uri(),
        "a URL of this machine": path.as_uri().replace("file:///", "FILE://localhost/"),
        "a URL in quotes": f"'{path.as_uri()}'",
        "a tilde": f"~/{path.name}",
        "a tilde in quotes": f'"~/{path.name}"',
        "a tilde and backslashes": "~/" + "".join("\\" + c if c in " '()#" else c for c in path.name),
    }


def test_every_way_to_write_a_path(home):
    for way, text in forms(home / NAME).items():
        assert os.path.samefile(given_path(text), home / NAME), way
        assert load_image(text).size == (40, 24), way


def test_a_path_object_may_begin_with_a_tilde_and_is_else_taken_as_it_is(home):
    assert load_image(Path("~") / NAME).size == (40, 24)
    assert given_path(Path("'a'")) == "'a'"
    assert given_path(Path("a\\ b")) == "a\\ b"


@pytest.mark.parametrize("name", ["'a.png'", '"a.png"', "a\\ b.png", "~", "file:a.png", " a.png", "~x/a.png"])
def test_what_is_there_by_that_very_name_is_meant(home, name):
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded(picture()))
    assert given_path(name) == name
    assert load_image(name).size == (40, 24)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", ""),
        ("-", "-"),
        ("new.png", "new.png"),
        ("C:\\pictures\\new.png", "C:\\pictures\\new.png"),
        ("it's.png", "it's.png"),
        ("'it's.png'", "it's.png"),
        ("a b.png", "a b.png"),
        ("~nobody-of-that-name/a.png", "~nobody-of-that-name/a.png"),
        ("file:///a%20b%23.png", "/a b#.png"),
        ("a\0b", "a\0b"),
    ],
)
def test_what_is_not_there(home, text, path):
    assert given_path(text) == path


def test_a_folder_to_see_it_from(home):
    assert given_path(NAME, home) == str(home / NAME)
    assert given_path(f"'{NAME.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'", home) == str(home / NAME)
    assert given_path(f"~/{NAME}", "elsewhere") == str(home / NAME)


def test_on_windows_a_backslash_parts_folders(home, monkeypatch):
    monkeypatch.setattr("hired_gguf.files.os.name", "nt")
    try:
        assert given_path('"C:\\my pictures\\new.png"') == "C:\\my pictures\\new.png"
        assert given_path("C:\\my\\ pictures\\(new).png") == "C:\\my\\ pictures\\(new).png"
        assert given_path("file:///C:/my%20pictures/new.png") == "C:/my pictures/new.png"
    finally:
        monkeypatch.undo()


def test_a_file_url_of_another_host(home):
    with pytest.raises(InputError, match="a file: URL cannot name another host"):
        given_path("file://server/share/a.png")
    with pytest.raises(
        ImageError, match=r"'file://server/share/a\.png': a file: URL cannot name another host"
    ):
        load_image("file://server/share/a.png")
    with pytest.raises(argparse.ArgumentTypeError, match="cannot name another host"):
        option_types.existing_file("file://server/share/a.gguf")


def test_errors_name_the_path_as_it_was_given(home):
    with pytest.raises(ImageError, match=r"^'~/none\.png': no such file$"):
        load_image("~/none.png")
    with pytest.raises(argparse.ArgumentTypeError, match=r"no such file: '~/none\.gguf'"):
        option_types.existing_file("~/none.gguf")


def test_wherever_a_path_is_taken(home, monkeypatch):
    """Options, variables, files of options and of tasks, schemas, models, folders of encodings, outputs."""
    shutil.copy(TEXT, home / "a text.gguf")
    shutil.copy(MMPROJ, home / "mmproj.gguf")
    (home / "schema.json").write_text('{"type": "boolean"}')
    (home / "o.toml").write_text(f"model = \"'{home}/a text.gguf'\"\nmmproj = '~/mmproj.gguf'")
    line = {"image": f"~/{NAME}", "question": "q", "answer": "a"}
    (home / "tasks.jsonl").write_text(json.dumps(line))

    assert option_types.existing_file("~/a\\ text.gguf") == home / "a text.gguf"
    assert (
        option_types.new_file("'~/new.json'") == option_types.json_target("~/new.json") == home / "new.json"
    )
    file = option_sources.read_config("~/o.toml")
    for name, path in (("model", "a text.gguf"), ("mmproj", "mmproj.gguf")):
        option = option_sources.SHARED[name]
        assert option_sources.look_up(option, file)[0] == home / path
        monkeypatch.setenv(option.variable, f'"~/{path}"')
        assert option_sources.look_up(option, file)[0] == home / path
    monkeypatch.setenv("HIRED_GGUF_CONFIG", f"'{home}/o.toml'")
    assert option_sources.read_config(None).there
    monkeypatch.setenv("HIRED_GGUF_CACHE", "~/cache")
    assert user_folder("cache") == home / "cache"

    assert read_tasks("'~/tasks.jsonl'") == [line]
    assert every_question(["~"], ["q"]) == [{"image": str(home / NAME), "question": "q"}]
    (read,) = read_pictures("~/tasks.jsonl")
    assert read.load().size == (40, 24)
    assert load_schema("~/schema.json") == {"type": "boolean"}
    assert read_gguf("~/mmproj.gguf").path == home / "mmproj.gguf"
    assert EncodingFolder("~/encodings", 1).folder == home / "encodings"
    with VisionEncoder("'~/mmproj.gguf'", n_threads=1) as encoder:
        assert encoder.info.path == home / "mmproj.gguf"
    with LlavaNext("~/a text.gguf", "~/mmproj.gguf", n_threads=1, cache_dir="~/encodings") as llm:
        tasks = [{"image": text, "question": "q"} for text in forms(home / NAME).values()]
        records = list(llm.ask_many(tasks, output="~/answers.jsonl", max_tokens=1))
    assert {record["status"] for record in records} == {"ok"}
    assert len({record["answer"] for record in records}) == 1
    assert (home / "answers.jsonl").exists()
    assert list((home / "encodings").iterdir())
    assert not list(Path().iterdir())


def test_the_commands(home, run):
    shutil.copy(MMPROJ, home / "mmproj.gguf")
    shutil.copy(photo("coffee"), home / "a photo.png")
    pair = ("--model", str(TEXT), "--mmproj", '"~/mmproj.gguf"', "--threads", "1", "--max-tokens", "2")
    assert run("ask", "~/a photo.png", "q", *pair) == run("ask", str(home / "a photo.png"), "q", *pair)
    code, out, _ = run("qa", "--images", "~/a\\ *.png", "--question", "q", "--output", "~/o.jsonl", *pair)
    assert (code, out, (home / "o.jsonl").exists()) == (0, "", True)
    code, *_ = run("explain", f"'{home}/a photo.png'", *pair[2:-2])
    assert code == 0
    assert Path("a photo-overlay.png").exists()
    code, *_ = run("quantize", "~/mmproj.gguf", "~/small.gguf", "--type", "F16", "--no-check")
    assert (code, (home / "small.gguf").exists()) == (0, True)
