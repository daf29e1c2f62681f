"""Encoded images in files: what is damaged, foreign or too much, and who shares a folder."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from cache_entries import NAMES, ask, assert_equal, key
from faults import WAYS, failing
from golden_pair import MMPROJ, photo

from hired_gguf import HiREDChatHandler, TokenBudget
from hired_gguf._core import make_tiling
from hired_gguf.vision.cache import EncodingCache
from hired_gguf.vision.cache_folder import MAGIC, STALE_SECONDS, EncodingFolder
from models import load_llama


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def stored(folder, encoded, number=1):
    """The file of an entry, and a cache that has nothing in memory."""
    EncodingCache(0, folder).put(key(number), encoded)
    return folder / f"{key(number)}.encoding", EncodingCache(0, folder)


def test_a_file_holds_the_same_numbers(folder, encoded):
    path, cache = stored(folder, encoded)
    assert_equal(cache.get(key(1), encoded.tiling), encoded)
    assert cache.get(key(2), encoded.tiling) is None
    assert path.read_bytes().startswith(MAGIC)
    assert [entry.name for entry in folder.iterdir()] == [path.name]


def test_an_image_without_newline(folder, encoded):
    bare = replace(encoded, newline=np.empty(0, np.float32))
    assert_equal(stored(folder, bare)[1].get(key(1), bare.tiling), bare)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:70],
        lambda data: data[: len(MAGIC)],
        lambda data: data[:5],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        lambda data: data[:-4] + b"\0\0\xc0\x7f",
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    ],
)
def test_damaged_files_go(folder, encoded, damage):
    path, cache = stored(folder, encoded)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get(key(1), encoded.tiling) is None
    assert not path.exists()
    cache.put(key(1), encoded)
    assert_equal(cache.get(key(1), encoded.tiling), encoded)


def test_an_entry_under_a_wrong_name_does_not_count(folder, encoded):
    path, cache = stored(folder, encoded)
    path.rename(folder / f"{key(2)}.encoding")
    assert cache.get(key(2), encoded.tiling) is None


def test_an_entry_of_another_tiling_does_not_count(folder, encoded):
    cache = stored(folder, encoded)[1]
    assert cache.get(key(1), make_tiling((60, 60), [], 56, 7)) is None
    assert cache.get(key(1), make_tiling((60, 60), [(112, 112)], 56, 14)) is None
    EncodingFolder(folder, 1 << 20).write(key(3), {"projected": np.zeros(4, np.float32)})
    assert cache.get(key(3), encoded.tiling) is None


def test_an_image_that_is_half_computed(folder, encoder, encoded, tiled):
    begun = encoder.encode_tiled(tiled("coffee"), TokenBudget(12, alpha=1.0))
    for image in (begun, encoder.finish(begun, begun.select(12, alpha=1.0))):
        found = stored(folder, image)[1].get(key(1), image.tiling)
        for name in NAMES:
            np.testing.assert_array_equal(getattr(found, name), getattr(image, name))
        more = encoder.encode_tiled(tiled("coffee"), TokenBudget(0.5), found)
        selection = more.select(0.5)
        right = encoded.pack(encoded.select(0.5))
        np.testing.assert_array_equal(encoder.finish(more, selection).pack(selection), right)


UNSOUND = {
    "ids out of order": ("ids", lambda a: a[::-1]),
    "an id twice": ("ids", lambda a: np.r_[a[:1], a[:-1]]),
    "an id of a tile that was not encoded": ("ids", lambda a: np.r_[a[:-1], 16]),
    "an id below 0": ("ids", lambda a: np.r_[-1, a[1:]]),
    "an id that is no whole number": ("ids", lambda a: a + 0.5),
    "an id that is no number": ("ids", lambda a: a * np.nan),
    "ids without rows": ("rows", lambda a: a[:-1]),
    "rows of another width": ("rows", lambda a: a[:, 1:]),
    "rows in three axes": ("rows", lambda a: a[None]),
    "no hidden states": ("hidden", lambda a: a[:0]),
    "hidden states without CLS": ("hidden", lambda a: a[:, 1:]),
    "more tiles with attention than hidden states": ("attention_last", lambda a: a + 1),
    "attention of fewer tiles": ("attention_last", lambda a: a[1:]),
    "attention without CLS": ("attention_first", lambda a: a[..., 1:]),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_what_does_not_fit_together_does_not_count(folder, encoder, tiled, what):
    image = encoder.encode_tiled(tiled("coffee"), TokenBudget(12, alpha=1.0))
    image = encoder.finish(image, image.select(12, alpha=1.0))
    arrays = {name: np.asarray(getattr(image, name), np.float32) for name in NAMES}
    files = EncodingFolder(folder, 1 << 20)
    files.write(key(1), arrays)
    assert EncodingCache(0, folder).get(key(1), image.tiling) is not None
    name, change = UNSOUND[what]
    files.write(key(1), {**arrays, name: change(arrays[name])})
    assert EncodingCache(0, folder).get(key(1), image.tiling) is None


def test_an_entry_without_or_with_another_array_does_not_count(folder, encoded):
    arrays = {name: np.asarray(getattr(encoded, name), np.float32) for name in NAMES}
    files = EncodingFolder(folder, 1 << 20)
    for changed in ({**arrays, "more": arrays["ids"]}, {n: arrays[n] for n in NAMES[1:]}):
        files.write(key(1), changed)
        assert EncodingCache(0, folder).get(key(1), encoded.tiling) is None


def test_foreign_files_are_left_alone(folder, encoded, size):
    folder.mkdir()
    foreign = {
        "notes.txt": b"mine",
        f"{key(1)}.encoding": b"not an encoding" * 100,
        f"{key(2)[:-1]}.encoding": MAGIC,
        f"{key(3)}.encoding.bak": MAGIC,
    }
    for name, content in foreign.items():
        (folder / name).write_bytes(content)
        os.utime(folder / name, (0, 0))
    (folder / f"{key(4)}.encoding").mkdir()
    cache = EncodingCache(0, folder, 2 * size)
    for number in range(1, 8):
        assert cache.get(key(number), encoded.tiling) is None
        cache.put(key(number), encoded)
    for name, content in foreign.items():
        assert (folder / name).read_bytes() == content
    assert (folder / f"{key(4)}.encoding").is_dir()
    assert cache.get(key(7), encoded.tiling) is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(folder, encoded):
    folder.mkdir()
    os.mkfifo(folder / f"{key(1)}.encoding")
    cache = EncodingCache(0, folder)
    assert cache.get(key(1), encoded.tiling) is None
    cache.put(key(1), encoded)


def test_the_bound_holds_and_the_longest_unused_files_go(folder, encoded):
    path = stored(folder, encoded)[0]
    bytes_each = path.stat().st_size
    cache = EncodingCache(0, folder, 3 * bytes_each)
    for number in (1, 2, 3):
        cache.put(key(number), encoded)
        os.utime(folder / f"{key(number)}.encoding", (number, number))
    assert cache.get(key(1), encoded.tiling) is not None
    cache.put(key(4), encoded)
    assert sorted(int(path.name[:64], 16) for path in folder.iterdir()) == [1, 3, 4]
    small = EncodingCache(0, folder, bytes_each - 1)
    small.put(key(5), encoded)
    assert not (folder / f"{key(5)}.encoding").exists()
    assert small.get(key(4), encoded.tiling) is None  # larger than what it would read
    assert (folder / f"{key(4)}.encoding").exists()


def test_parts_of_dead_processes_go(folder, encoded):
    folder.mkdir()
    dead, alive = (folder / f".{key(1)}.encoding.{end}.part" for end in ("1", "2"))
    for path in (dead, alive):
        path.write_bytes(b"half")
    os.utime(dead, (time.time() - STALE_SECONDS - 1,) * 2)
    stored(folder, encoded)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_an_interrupt_leaves_no_part(folder, encoded, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        EncodingCache(0, folder).put(key(1), encoded)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("trouble", ["full", "no folder", "unreadable"])
def test_a_disk_that_does_not_work_is_one_warning(tiny, llama, folder, monkeypatch, caplog, trouble):  # noqa: PLR0917
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    if trouble == "full":
        monkeypatch.setattr(os, "replace", refuse)
    elif trouble == "no folder":
        folder.write_bytes(b"a file")
    else:
        folder.mkdir()
        monkeypatch.setattr("pathlib.Path.stat", refuse)
    handler = HiREDChatHandler(tiny[1], n_threads=1, cache_dir=folder, cache_bytes=0)
    with caplog.at_level(logging.WARNING):
        assert ask(handler, llama) == ask(handler, llama) != ""
    assert handler.last_run.encoded_images == 1
    (record,) = caplog.records
    assert f"encoded images cannot be kept in {folder}" in record.getMessage()
    handler.close()
    assert not os.path.isdir(folder) or os.listdir(folder) == []


def test_a_folder_for_reading_only_serves(folder, encoded, monkeypatch, caplog):
    cache = stored(folder, encoded)[1]

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr("hired_gguf.vision.cache_folder.replacing", refuse)
    assert_equal(cache.get(key(1), encoded.tiling), encoded)
    assert caplog.records == []
    cache.put(key(2), encoded)
    cache.put(key(3), encoded)
    assert len(caplog.records) == 1


WORK = """
import sys
from hired_gguf import VisionEncoder
from hired_gguf.images.load import load_image
from hired_gguf.vision.cache import EncodingCache
from hired_gguf.vision.encoding import TiledPicture
_, folder, mmproj, picture, bound = sys.argv
encoder = VisionEncoder(mmproj, n_threads=1)
image = encoder.encode_tiled(TiledPicture.of(load_image(picture), encoder.info))
cache = EncodingCache(0, folder, int(bound))
for i in range(150):
    key = f"{i % 7:064x}"
    found = cache.get(key, image.tiling)
    if found is None:
        cache.put(key, image)
    else:
        assert (found.projected == image.projected).all()
print(cache.hits)
"""


@pytest.mark.slow
def test_processes_share_a_folder(folder, encoded):
    bound = 4 * stored(folder, encoded)[0].stat().st_size
    command = [sys.executable, "-c", WORK, str(folder), str(MMPROJ), str(photo("coffee")), str(bound)]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert (child.returncode, err) == (0, "")
        assert int(out) >= 0
    assert sum(path.stat().st_size for path in folder.iterdir()) <= bound
    assert all(path.name.endswith(".encoding") for path in folder.iterdir())


def test_a_file_is_used_by_a_process_that_comes_later(tiny, folder):
    command = (
        "import sys; from hired_gguf import LlavaNext; _, text, mmproj, folder, picture = sys.argv\n"
        "with LlavaNext(text, mmproj, n_ctx=512, n_threads=1, cache_dir=folder) as llm:\n"
        "    answer = llm.ask(picture, 'What is this?', max_tokens=6)\n"
        "    print(answer.encoded_images, answer.reused_encodings, answer.reused_tokens, answer.text)"
    )
    arguments = [sys.executable, "-c", command, *map(str, (*tiny, folder, photo()))]
    said = [subprocess.run(arguments, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert said[0].startswith("1 0 0 ")
    assert said[1].startswith("0 1 0 ")
    assert said[0][6:] == said[1][6:] != ""


def test_a_llama_with_the_handler_and_its_cache_can_be_pickled(tiny, folder):
    handler = HiREDChatHandler(tiny[1], n_threads=1, cache_dir=folder, cache_bytes=1 << 16)
    llama = load_llama(tiny[0], chat_handler=handler)
    right = ask(handler, llama)
    copy = pickle.loads(pickle.dumps(llama))
    assert ask(copy.chat_handler, copy) == right
    assert copy.chat_handler.last_run.reused_encodings == 1
    for closable in (llama, copy, handler, copy.chat_handler):
        closable.close()


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"interrupted"}))
def test_every_call_may_fail(folder, encoded, way, lasting):
    """An entry is there as a whole or not at all, and nobody notices but by the time."""
    folder.mkdir()
    for at in range(1, 50):
        with failing(folder, way, at, lasting=lasting) as faults:
            cache = EncodingCache(0, folder)
            cache.put(key(1), encoded)
            found = cache.get(key(1), encoded.tiling)
        for entry in (found, EncodingCache(0, folder).get(key(1), encoded.tiling)):
            assert entry is None or assert_equal(entry, encoded) is None
        cache.put(key(1), encoded)
        assert_equal(EncodingCache(0, folder).get(key(1), encoded.tiling), encoded)
        shutil.rmtree(folder)
        if faults.calls < at:
            break
    assert at < 49
