"""Folders as they are: links in circles, several names, brackets, broken links, what cannot be read."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from pictures import encoded, picture

from hired_gguf.errors import InputError
from hired_gguf.images.find import find_pictures, once
from hired_gguf.qa.inputs import every_question

posix = pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """photos with a.png, 2023/b.png, 2024/c.png, 2024/deep/d.png and a text; it is in the current folder."""
    monkeypatch.chdir(tmp_path)
    for path in ("a.png", "2023/b.png", "2024/c.png", "2024/deep/d.png", "2024/notes.txt"):
        file = tmp_path / "photos" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(picture()))
    return Path("photos")


def names(where):
    return [os.path.basename(path) for path in find_pictures(where)]


def test_globs_of_folders(tree):
    assert names("photos/20*") == ["b.png", "c.png"]
    assert names("photos/20*/") == ["b.png", "c.png"]
    assert names("photos/202[3]/*") == ["b.png"]
    assert names("*/2024/*/*.png") == ["d.png"]
    assert names("photos/**") == ["b.png", "c.png", "d.png", "a.png"]
    assert names("photos/**/*.png") == ["b.png", "c.png", "d.png", "a.png"]
    assert names("**/d.png") == ["d.png"]
    assert names(str(tree.absolute() / "**" / "deep")) == ["d.png"]
    assert names("photos/2024/*") == ["c.png", "d.png", "notes.txt"]  # files are taken as the glob names them


@posix
def test_links_in_circles_end(tree):
    for link, target in (
        ("self", "."),
        ("up", ".."),
        ("2024/top", ".."),
        ("2024/deep/twin", ".."),
        ("x", "x"),
    ):
        (tree / link).symlink_to(target)
    assert names("photos") == ["a.png"]
    assert names("photos/**") == ["b.png", "c.png", "d.png", "a.png"]
    assert names("photos/**/*.png") == ["b.png", "c.png", "d.png", "a.png"]
    assert names("photos/self/self/2023") == ["b.png"]
    with pytest.raises(InputError, match="no pictures"):
        find_pictures("photos/**/*.jpg")


@posix
def test_a_folder_under_several_names_gives_each_picture_once(tree):
    Path("album").symlink_to("photos")
    (tree / "0-first").symlink_to("2023")
    where = ["photos", "./photos/", "album", str(tree.absolute()), "photos/../photos/a.png", "album/*.png"]
    assert [task["image"] for task in every_question(where, ["q"])] == ["photos/a.png"]
    assert find_pictures("photos/**") == [
        *("photos/2023/b.png", "photos/2024/c.png", "photos/2024/deep/d.png", "photos/a.png")
    ]
    (tree / "2023" / "same.png").symlink_to("b.png")  # two names in one folder: somebody wants both
    assert names("photos/2023") == ["b.png", "same.png"]
    assert once(["a", "./a", "b/../a"]) == ["a"]


@pytest.mark.parametrize("name", ["[1].png", "what?.png", "*.png", "a[bc", "[!x].png"])
@posix
def test_a_name_that_is_there_is_no_glob(tree, name):
    for other in ("1.png", "whats.png", "ab", "y.png"):
        (tree / other).write_bytes(b"")
    (tree / name).write_bytes(encoded(picture()))
    assert find_pictures(f"photos/{name}") == [f"photos/{name}"]


def test_a_folder_whose_name_has_brackets(tree):
    folder = tree / "scans [2024]"
    folder.mkdir()
    (folder / "e.png").write_bytes(encoded(picture()))
    (folder / "[f].png").write_bytes(encoded(picture()))
    (tree / "scans 2").mkdir()  # what the brackets would match as a glob
    assert names("photos/scans [2024]") == ["[f].png", "e.png"]
    assert names("photos/scans [2024]/*.png") == ["[f].png", "e.png"]
    assert names("photos/scans [2024]/[e]*") == ["e.png"]
    assert names("photos/**/[[]f].png") == ["[f].png"]


def test_hidden_names_are_left_alone_unless_they_are_named(tree):
    for path in (".thumbs/t.png", "2024/.c.png", "2024/._c.png"):
        (tree / path).parent.mkdir(exist_ok=True)
        (tree / path).write_bytes(encoded(picture()))
    assert names("photos/2024") == ["c.png"]
    assert ".c.png" not in names("photos/**/*")
    assert "t.png" not in names("photos/**")
    assert names("photos/2024/.[!.]*") == ["._c.png", ".c.png"]
    assert names("photos/.thumbs") == ["t.png"]
    assert names("photos/.th*") == ["t.png"]


@posix
def test_a_broken_link_is_named_and_its_record_says_so(tree, run):
    (tree / "broken.png").symlink_to("gone.png")
    assert names("photos") == ["a.png", "broken.png"]
    assert names("photos/br*") == ["broken.png"]
    code, out, _ = run("qa", "--images", "photos", "--question", "q", "--max-tokens", "1")
    assert code == 0
    assert '"status": "ok"' in out.splitlines()[0]
    assert "'photos/broken.png': no such file" in out.splitlines()[1]


@posix
def test_names_that_are_not_utf8(tree):
    name = os.fsdecode(b"\xff\xe4.png")
    try:
        (tree / name).write_bytes(encoded(picture()))
    except OSError:
        pytest.skip("the file system wants UTF-8")
    assert names("photos") == ["a.png", name]
    assert names("photos/[!a]*.png") == [name]
    assert names(f"photos/**/{name}") == [name]


@contextmanager
def unprivileged():
    """Nobody's rights, where the tests run as root, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
def test_a_folder_that_cannot_be_read(caplog):
    top = Path(tempfile.mkdtemp())  # pytest's own folders are closed to others
    try:
        for name in ("a", "b"):
            (top / name).mkdir()
            (top / name / f"{name}.png").write_bytes(encoded(picture()))
        top.chmod(0o755)
        (top / "b").chmod(0)
        with unprivileged(), caplog.at_level(logging.WARNING, "hired_gguf"):
            assert names(f"{top}/**") == ["a.png"]
            assert names(f"{top}/*/*.png") == ["a.png"]
            assert f"the folder '{top}/b' cannot be read: Permission denied; it is left out" in caplog.text
            with pytest.raises(InputError, match=f"the folder '{top}/b' cannot be read: Permission denied"):
                find_pictures(top / "b")
    finally:
        (top / "b").chmod(0o755)
        shutil.rmtree(top)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("empty", "no pictures in 'empty'; a folder must hold files of .jpg, .jpeg, .png"),
        ("photos/2024/deep/../..", None),
        ("none", "'none'.*; there is nothing of that name"),
        ("holder", r"'holder'.*; 'holder/\*\*' names the folders in it, too"),
        ("a.png/*", r"no pictures in 'a.png/\*'"),
        ("http://example.org/a.png", r"URLs are read as images of tasks \(--input\)"),
        ("", "no pictures in ''"),
    ],
)
def test_what_is_said_where_nothing_is_found(tree, where, said):
    Path("empty").mkdir()
    (Path("holder") / "inner").mkdir(parents=True)
    if said is None:
        assert names(where) == ["a.png"]
        return
    with pytest.raises(InputError, match=said):
        find_pictures(where)


def test_a_deep_tree_does_not_exhaust_the_stack(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = ["d/" * depth for depth in range(1, 1501)]
    for folder in folders:
        os.mkdir(folder)
    picture = Path(folders[-1]) / "a.png"
    picture.touch()
    assert find_pictures("**") == [str(picture)]
    picture.unlink()  # what follows is left to nobody: pytest would delete it by recursion
    for folder in reversed(folders):
        os.rmdir(folder)
