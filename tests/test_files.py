"""Files that are opened without blocking and replaced as a whole."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from hired_gguf.files import open_regular, remove_parts, replacing, user_folder, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="the names that Linux has")
@pytest.mark.parametrize(
    ("kind", "variables", "folder"),
    [
        ("config", {}, "~/.config/hired-gguf"),
        ("config", {"XDG_CONFIG_HOME": "/x"}, "/x/hired-gguf"),
        ("cache", {}, "~/.cache/hired-gguf"),
        ("cache", {"XDG_CACHE_HOME": "/x"}, "/x/hired-gguf"),
        ("cache", {"XDG_CACHE_HOME": "/x", "HIRED_GGUF_CACHE": "/mine"}, "/mine"),
    ],
)
def test_folders_of_the_user(kind, variables, folder, monkeypatch):
    for name in ("HIRED_GGUF_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert user_folder(kind) == Path(folder).expanduser()


def test_a_regular_file_opens(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    with open_regular(tmp_path / "a") as file:
        assert file.read() == b"content"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_nothing_else_opens(tmp_path, monkeypatch):
    regular, pipe = tmp_path / "a", tmp_path / "pipe"
    regular.touch()
    os.mkfifo(pipe)
    for path in (tmp_path, pipe, "/dev/zero"):
        assert open_regular(path) is None
    found = os.stat(regular)
    monkeypatch.setattr(os, "stat", lambda _: found)  # the pipe comes after the look at it
    assert open_regular(pipe) is None


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "results.json"
    write_whole(path, "old")
    with pytest.raises(TypeError):
        write_whole(path, None)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["results.json"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_nothing_is_left_where_writing_ends_early(tmp_path, error):
    def write(path):
        with replacing(path) as partial:
            partial.write_text("half")
            assert [partial.name] == names(tmp_path)
            raise error

    with pytest.raises(error):
        write(tmp_path / "a")
    assert names(tmp_path) == []


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "a"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the last to end
    assert names(tmp_path) == ["a"]


def test_the_disk_has_the_content_before_the_name(tmp_path, monkeypatch):
    calls = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("replace") or real(*paths))
    monkeypatch.setattr(
        os, "fsync", lambda fd: calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
    )
    with replacing(tmp_path / "a", sync=True) as partial:
        partial.write_text("new")
    assert calls == ["file", "replace", *(["folder"] if os.name == "posix" else [])]


def test_parts_of_dead_writers_go_and_other_files_stay(tmp_path):
    (tmp_path / ".a.txt.0123abcd.part").touch()
    others = [".a.txt.swp", ".b.txt.0123abcd.part", "a.txt", "a.txt.part"]
    for name in others:
        (tmp_path / name).touch()
    remove_parts(tmp_path / "a.txt")
    assert names(tmp_path) == others
