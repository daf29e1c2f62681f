"""Encoded images that are kept, in memory and in files."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from golden_pair import MMPROJ, answer_of, image, photo, user
from PIL import Image

from hired_gguf import HiREDChatHandler, InputError, LlavaNext
from hired_gguf._core import make_tiling
from hired_gguf.images.load import load_image
from hired_gguf.vision import cache as cache_module
from hired_gguf.vision.cache import EncodingCache, encoder_identity, encoding_key
from hired_gguf.vision.cache_folder import MAGIC, PART, STALE_SECONDS, EncodingFolder
from hired_gguf.vision.encoding import TiledPicture
from models import load_llama

SEEN = [user(image(photo()), "What is this?")]
NAMES = ("projected", "newline", "attention_first", "attention_last")


@pytest.fixture(scope="module")
def encoded(encoder):
    """The golden coffee, encoded."""
    return encoder.encode_tiled(TiledPicture.of(load_image(photo("coffee")), encoder.info))


@pytest.fixture
def size(encoded):
    return sum(getattr(encoded, name).nbytes for name in NAMES)


def key(number):
    return f"{number:064x}"


def assert_equal(found, right):
    for name in NAMES:
        np.testing.assert_array_equal(getattr(found, name), getattr(right, name))
    for budget in (0.2, 1.0):
        np.testing.assert_array_equal(found.pack(found.select(budget)), right.pack(right.select(budget)))


# Keys


def test_a_key_is_that_of_the_pixels(encoder, tmp_path):
    identity = encoder_identity(encoder.info, "auto", "auto")
    picture = load_image(photo())
    picture.save(tmp_path / "other.bmp")
    assert encoding_key(picture, identity) == encoding_key(load_image(tmp_path / "other.bmp"), identity)
    assert encoding_key(picture, identity) == encoding_key(picture.copy(), identity)
    changed = picture.copy()
    changed.putpixel((3, 4), (1, 2, 3))
    assert encoding_key(changed, identity) != encoding_key(picture, identity)
    assert len(encoding_key(picture, identity)) == 64


def test_a_key_holds_the_size(encoder):
    identity = encoder_identity(encoder.info, "auto", "auto")
    pixels = bytes(range(250)) * 36
    keys = {
        encoding_key(Image.frombytes("RGB", wh, pixels), identity) for wh in ((30, 100), (100, 30), (50, 60))
    }
    assert len(keys) == 3


def test_a_key_holds_the_encoder(encoder):
    info = encoder.info
    identities = {
        encoder_identity(info, "auto", "auto"),
        encoder_identity(info, "cpu", "auto"),
        encoder_identity(info, "auto", "off"),
        encoder_identity(replace(info, fingerprint="another"), "auto", "auto"),
    }
    picture = load_image(photo())
    assert len({encoding_key(picture, identity) for identity in identities}) == 4
    assert encoder_identity(replace(info, path=photo()), "auto", "auto") in identities


def test_a_key_holds_the_kernels(encoder, monkeypatch):
    identities = set()
    for used in (True, False):
        monkeypatch.setattr(cache_module, "kernels_used", lambda used=used: used)
        identities.add(encoder_identity(encoder.info, "auto", "auto"))
    assert len(identities) == 2


# Memory


def test_what_was_put_is_there(encoded):
    cache = EncodingCache()
    assert cache.get(key(1), encoded.tiling) is None
    cache.put(key(1), encoded)
    assert cache.get(key(1), encoded.tiling) is encoded
    assert cache.get(key(2), encoded.tiling) is None
    assert (cache.hits, cache.misses, len(cache)) == (1, 2, 1)
    cache.clear()
    assert (cache.nbytes, len(cache)) == (0, 0)
    assert cache.get(key(1), encoded.tiling) is None


def test_the_longest_unused_goes_first(encoded, size):
    cache = EncodingCache(3 * size + 1)
    for number in (1, 2, 3, 1):
        cache.put(key(number), encoded)
    assert cache.get(key(2), encoded.tiling) is encoded
    cache.put(key(4), encoded)
    assert [n for n in range(1, 5) if cache.get(key(n), encoded.tiling)] == [1, 2, 4]
    assert cache.nbytes == 3 * size


@pytest.mark.parametrize("bound", [0, 1, -1])
def test_what_is_larger_than_the_bound_is_not_kept(encoded, size, bound):
    cache = EncodingCache(max(0, size + bound if bound else 0))
    cache.put(key(1), encoded)
    assert len(cache) == (bound == 1)
    assert cache.nbytes == (size if bound == 1 else 0)


@pytest.mark.parametrize("bound", [-1, 1.5, True, None, "1"])
def test_bad_bounds(tiny, bound):
    with pytest.raises(InputError, match=r"cache_bytes is .*; allowed: a whole number of bytes"):
        HiREDChatHandler(tiny[1], cache_bytes=bound)


def test_threads_share_a_cache(encoded, size):
    cache = EncodingCache(5 * size)
    begun = threading.Barrier(4)

    def work(seed):
        begun.wait(30)
        for number in np.random.default_rng(seed).integers(0, 10, 300):
            found = cache.get(key(number), encoded.tiling)
            assert found in (None, encoded)
            if found is None:
                cache.put(key(number), encoded)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert cache.hits + cache.misses == 1200
    assert cache.nbytes == len(cache) * size <= 5 * size


def test_pickling_leaves_the_images(encoded, tmp_path):
    cache = EncodingCache(1000, tmp_path, 2000)
    cache.put(key(1), encoded)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.max_bytes, copy._disk.folder, copy._disk.max_bytes) == (1000, tmp_path, 2000)
    assert len(copy) == 0
    assert pickle.loads(pickle.dumps(EncodingCache(5)))._disk is None


# Handlers


def ask(handler, llama, messages=SEEN):
    return answer_of(handler(llama=llama, messages=messages, max_tokens=8, temperature=0))


def test_one_encoding_serves_two_contexts(tiny, new_llama, encodings):
    handler = HiREDChatHandler(tiny[1], n_threads=1)
    assert ask(handler, new_llama()) == ask(handler, new_llama())
    assert len(encodings) == 1
    run = handler.last_run
    assert (run.encoded_images, run.reused_encodings, run.reused_tokens) == (0, 1, 0)
    handler.close()
    assert len(handler._cache) == 0
    ask(handler, new_llama())
    assert len(encodings) == 2
    handler.close()


def test_no_cache(tiny, new_llama, encodings):
    handler = HiREDChatHandler(tiny[1], cache_bytes=0, n_threads=1)
    llama = new_llama()
    assert ask(handler, llama) == ask(handler, llama)
    assert len(encodings) == 2
    assert handler.last_run.reused_tokens == handler.last_run.prompt_tokens - 1
    handler.close()


def test_the_cache_is_smaller_than_an_encoding_with_its_pixels(tiny, new_llama):
    handler = HiREDChatHandler(tiny[1], n_threads=1)
    ask(handler, new_llama())
    full = handler.load().encode(photo())
    pixels = full.pixel_values.nbytes
    assert (
        0
        < handler._cache.nbytes
        <= full.projected.nbytes + 2 * full.attention_first.nbytes + 1000
        < pixels * 3
    )
    handler.close()


def test_progress_tells_only_what_is_encoded(tiny, new_llama):
    heard = []
    handler = HiREDChatHandler(tiny[1], n_threads=1, on_progress=lambda *step: heard.append(step))
    llama = new_llama()
    for _ in range(2):
        ask(handler, llama)
    assert [step for step in heard if step[0] == "encode"] == [("encode", 0, 1)]
    handler.close()


def test_files_outlive_their_handler(tiny, new_llama, encodings, tmp_path):
    folder = tmp_path / "new" / "folder"
    first = HiREDChatHandler(tiny[1], n_threads=1, cache_dir=folder)
    right = ask(first, new_llama())
    first.close()
    assert len(list(folder.iterdir())) == 1
    for cache_bytes in (0, 1 << 20):
        second = HiREDChatHandler(tiny[1], n_threads=1, cache_dir=str(folder), cache_bytes=cache_bytes)
        assert ask(second, new_llama()) == right
        assert second.last_run.reused_encodings == 1
        assert second._encoder is None  # not even loaded
        assert len(second._cache) == (cache_bytes > 0)
    assert len(encodings) == 1
    LlavaNext(*tiny, n_ctx=512, n_threads=1, cache_dir=folder, budget=0.2).close()


def test_another_device_has_other_files(tiny, new_llama, encodings, tmp_path):
    for flash_attention in ("on", "off", "on"):
        handler = HiREDChatHandler(tiny[1], n_threads=1, cache_dir=tmp_path, flash_attention=flash_attention)
        ask(handler, new_llama())
        handler.close()
    assert len(encodings) == len(list(tmp_path.iterdir())) == 2


# Files


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
    dead, alive = folder / f"tmp1{PART}", folder / f"tmp2{PART}"
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
    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
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
