"""Files that are opened without blocking and replaced as a whole."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest
from faults import WAYS, failing

from hired_gguf import FileError, HiredError
from hired_gguf.files import naming, open_regular, remove_parts, replacing, user_folder, write_whole


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


@pytest.mark.skipif(sys.platform != "linux", reason="the list of users that Linux has")
@pytest.mark.parametrize("home", [None, "", "somewhere"])
def test_a_user_without_a_home(home, monkeypatch):
    for name in ("HIRED_GGUF_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # a container's number without a name
    for kind, variable in (
        ("cache", "HIRED_GGUF_CACHE to a folder"),
        ("config", "HIRED_GGUF_CONFIG to a file"),
    ):
        with pytest.raises(HiredError, match=f"^this user has no home folder: set HOME, or {variable}$"):
            user_folder(kind)
    monkeypatch.setenv("HIRED_GGUF_CACHE", "/mine")
    assert user_folder("cache") == Path("/mine")


def unable(monkeypatch, name, folders_alone=False):
    """A disk whose fsync fails in this way."""
    number = getattr(errno, name)

    def fail(descriptor):
        if not folders_alone or stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    return os.strerror(number)


posix = pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX")


@posix
@pytest.mark.parametrize("folders_alone", [True, False])
@pytest.mark.parametrize("name", ["ENOTSUP", "EINVAL", "ENOSYS", "EPERM", "EOPNOTSUPP"])
def test_a_file_system_that_cannot_sync(name, folders_alone, tmp_path, monkeypatch, caplog):
    reason = unable(monkeypatch, name, folders_alone)
    for text in ("one", "two"):
        with replacing(tmp_path / "a", sync=True) as partial:
            partial.write_text(text)
    assert (tmp_path / "a").read_text() == "two"
    said = [record.getMessage() for record in caplog.records]
    what = f"cannot keep what is written through a power cut ({reason}): going on without"
    assert said == [f"the file system of {tmp_path} {what}"]  # once


@posix
@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT"])
def test_a_disk_that_lost_something(name, tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    reason = unable(monkeypatch, name)
    with pytest.raises(OSError, match=reason), replacing(tmp_path / "a", sync=True) as partial:
        partial.write_text("new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


@posix
def test_a_folder_that_may_be_written_and_not_read(tmp_path, monkeypatch, caplog):
    real = os.open

    def refuse(path, flags, *rest, **options):
        if Path(path) == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)
    with replacing(tmp_path / "a", sync=True) as partial:
        partial.write_text("new")
    assert (tmp_path / "a").read_text() == "new"
    assert f"{tmp_path} cannot keep new names through a power cut (Permission denied)" in caplog.text


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


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("old", [None, "old"])
def test_every_call_of_writing_a_file_may_fail(tmp_path, way, old):
    """The file has the old content or the new, nothing is left beside it, and the error says what to do."""
    path, new = tmp_path / "results.json", "new" * 10_000
    for at in range(1, 50):
        path.unlink(missing_ok=True)
        if old:
            path.write_text(old)
        error = None
        with failing(tmp_path, way, at) as faults:
            try:
                write_synced(path, new)
            except FileError as caught:
                error = str(caught)
        assert (path.read_text() if path.exists() else None) in (old, new)
        assert names(tmp_path) == [path.name] * path.exists() or way == "delete"
        if error is not None:
            assert error.startswith(f"{path} cannot be written: ")
            assert "; " in error
        remove_parts(path)
        if faults.calls < at:
            break
    assert error is None
    assert path.read_text() == new


def write_synced(path, text):
    with replacing(path, sync=True) as partial:
        partial.write_text(text)


def test_an_error_about_another_file_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "a"):
        (tmp_path / "none").read_text()
    assert str(tmp_path / "none") in str(caught.value)
    with pytest.raises(FileError) as caught, naming(tmp_path / "a", "read", then=". Then"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")
    assert str(caught.value) == (
        f"{tmp_path / 'a'} cannot be read: Disk quota exceeded; "
        "your share of the disk is used up: make room. Then"
    )
    assert caught.value.errno == errno.EDQUOT
    with pytest.raises(
        FileError, match=r"no.x cannot be written: No such file or directory; name another place"
    ):
        write_synced(tmp_path / "no" / "x", "text")
