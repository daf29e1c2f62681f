"""Runs on disks that fail, at every call, once or for good: nothing is lost, doubled or called crashed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from contextlib import nullcontext, suppress

import pytest
from command_line import SCRIPT
from faults import WAYS, failing
from golden_pair import NAMES, photo
from parrot import Parrot
from PIL import Image, ImageFile

from hired_gguf import FileError
from hired_gguf.qa.batch import ask_many
from hired_gguf.qa.opener import Opener
from hired_gguf.qa.settings import QaSettings

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and file systems of Linux")
SETTINGS = QaSettings(model="a", mmproj="b")


@pytest.fixture
def tasks(tmp_path):
    """Of three pictures in turn, so that records have to wait. The pictures are 9, 10 and 11 pixels wide."""
    for width, name in enumerate("abc", 9):
        Image.effect_noise((width, 9), 60).save(tmp_path / f"{name}.png")
    return [{"image": str(tmp_path / f"{name}.png"), "question": q} for q in "QR" for name in "abc"]


@pytest.fixture(params=[False, True])
def lasting(request):
    """Whether a disk that has failed once fails for good."""
    return request.param


@pytest.fixture
def disk(tmp_path):
    """The folder that fails."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


class Sulky(Parrot):
    """Does not like a question."""

    def ask(self, image, question, **options):
        if question == "R":
            raise ValueError("no")
        return super().ask(image, question, **options)


def start(tasks, output, model=Parrot, **options):
    return ask_many(Opener(lambda: nullcontext(model())), tasks, SETTINGS, output=output, **options)


def run(tasks, output, model=Parrot, **options):
    return list(start(tasks, output, model, **options))


def whole_lines(path):
    data = path.read_bytes() if path.exists() else b""
    assert data.endswith(b"\n") or not data
    return [json.loads(line) for line in data.splitlines()]


def prepare(tasks, output, state):
    """What was there before: nothing, half of it, or all with errors that are asked again."""
    if state == "half":
        records = start(tasks, output)
        for _ in range(3):
            next(records)
        records.close()
    elif state == "again":
        run(tasks, output, Sulky)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("state", ["new", "half", "again"])
@pytest.mark.parametrize("way", WAYS)
def test_every_call_may_fail(tasks, disk, way, state, lasting):
    options = {"retry_errors": state == "again"}
    expected = None
    lasting &= way != "interrupted"  # Python's files try that again, for ever
    for at in range(1, 200):
        output = disk / f"{at}.jsonl"
        prepare(tasks, output, state)
        error, struck = None, 0
        for _ in range(3):  # as often as would make a task a crashed one
            with failing(disk, way, at, lasting=lasting) as faults:
                try:
                    run(tasks, output, **options)
                except OSError as caught:
                    error = caught
            struck += faults.calls >= at
            records = whole_lines(output) if way != "truncate" else []
            assert len({record["key"] for record in records}) == len(records)
        if error is not None:
            assert_helpful(error, output)
        with suppress(FileNotFoundError):
            output.with_name(output.name + ".torn").unlink()
        expected = expected or lasting_of(run(tasks, None))
        assert lasting_of(run(tasks, output, **options)) == expected
        assert lasting_of(whole_lines(output)) == expected
        assert {path.name for path in disk.iterdir()} == {output.name}
        output.unlink()
        if not struck:
            break
    assert at > 1 or way in ("rename", "truncate", "read", "delete")


def lasting_of(records):
    assert {record["status"] for record in records} == {"ok"}
    return [(record["id"], record["question"], record["answer"], record["key"]) for record in records]


def assert_helpful(error, output):
    """It names the file and what to do."""
    assert isinstance(error, FileError), repr(error)
    assert error.errno is not None
    text = str(error)
    assert str(output) in text
    assert "; " in text
    assert any(word in text for word in ("make room", "raise the limit", "name another place"))


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("full", "No space left on device; make room on its disk. What is there is whole: the same command"),
        ("quota", "your share of the disk is used up: make room. What is there"),
        (
            "too large",
            "File too large; it would be larger than allowed: raise the limit (ulimit -f), or",
        ),
        ("fsync", "Input/output error; the disk or the network reports a fault: look at the system's log"),
    ],
)
def test_what_is_said(tasks, disk, way, said):
    with failing(disk, way, 3), pytest.raises(FileError) as caught:
        run(tasks, disk / "o.jsonl")
    assert f"{disk / 'o.jsonl'}" in str(caught.value)
    assert said in str(caught.value)


def test_an_attempt_that_the_disk_ended_does_not_count(tasks, disk):
    """With a disk that is full for good, not even a word about it can be written."""
    output = disk / "o.jsonl"
    for _ in range(5):
        with failing(disk, "full", 2, lasting=True), pytest.raises(FileError):
            run(tasks[:1], output)
        assert not output.with_name("o.jsonl.journal").exists()
    assert run(tasks[:1], output)[0]["status"] == "ok"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), MemoryError(), ValueError("bad")])
def test_every_decoding_may_fail(tasks, disk, monkeypatch, error):
    """That is the picture's matter: its tasks have the error, and may be asked again."""
    real = ImageFile.ImageFile.load

    def load(self):
        if self.width == 9 + "abc".index(name):
            raise error
        return real(self)

    for name in "abc":
        output = disk / f"{name}.jsonl"
        with monkeypatch.context() as patch:
            patch.setattr(ImageFile.ImageFile, "load", load)
            records = run(tasks, output)
        failed = [record["image"][-5] for record in records if record["status"] == "error"]
        assert failed == [name] * 2
        assert lasting_of(run(tasks, output, retry_errors=True))


# For real


ASK = ("qa", "--question", "Q", "--question", "R", "--max-tokens", "4", "--n-ctx", "512", "--threads", "1")


def command(tiny, output, *, limit=None):
    def restrict():
        if limit is not None:
            import resource  # noqa: PLC0415

            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    pair = ("--model", str(tiny[0]), "--mmproj", str(tiny[1]))
    images = ("--images", *(str(photo(name)) for name in NAMES[:3]))
    done = subprocess.run(
        [SCRIPT, *ASK, *images, *pair, "--output", str(output)],
        preexec_fn=restrict,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.slow
@linux
def test_a_limit_of_file_sizes(tiny, disk):
    output = disk / "o.jsonl"
    for _ in range(3):
        code, said = command(tiny, output, limit=4000)
        assert code == 1
        assert f"{output} cannot be written: File too large; it would be larger than allowed" in said
        assert 1 <= len(whole_lines(output)) < 6
    assert command(tiny, output)[0] == 0
    assert [record["status"] for record in whole_lines(output)] == ["ok"] * 6


@pytest.mark.slow
@linux
def test_a_full_disk(tiny, disk):
    mounted = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        output = disk / "o.jsonl"
        for _ in range(3):
            code, said = command(tiny, output)
            assert code == 1
            assert "cannot be written: No space left on device; make room on its disk" in said
            assert "crashed" not in output.read_text()
            whole_lines(output)
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        assert command(tiny, output)[0] == 0
        assert [record["status"] for record in whole_lines(output)] == ["ok"] * 6
    finally:
        subprocess.run(["umount", str(disk)], check=True)
