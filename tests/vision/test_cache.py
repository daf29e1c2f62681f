"""Encoded images that are kept, in memory and in files."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from cache_entries import NAMES, ask, key
from golden_pair import photo
from PIL import Image

from hired_gguf import HiREDChatHandler, InputError, LlavaNext, TokenBudget
from hired_gguf.images.load import load_image
from hired_gguf.vision import cache as cache_module
from hired_gguf.vision.cache import EncodingCache, encoder_identity, encoding_key

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


def test_a_key_holds_the_version_of_what_is_kept(encoder, monkeypatch):
    identity = encoder_identity(encoder.info, "auto", "auto")
    monkeypatch.setattr(cache_module, "VERSION", cache_module.VERSION - 1)
    assert encoder_identity(encoder.info, "auto", "auto") != identity


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


def test_a_completed_image_takes_the_place_of_what_it_was(encoder, tiled):
    cache, image = EncodingCache(), None
    for tokens in (4, 20, 60, 80):
        image = encoder.encode_tiled(tiled(), TokenBudget(tokens), image)
        image = encoder.finish(image, image.select(tokens))
        cache.put(key(1), image)
        assert len(cache) == 1
        assert cache.nbytes == sum(getattr(image, name).nbytes for name in NAMES)
        assert cache.get(key(1), image.tiling) is image


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


def test_the_cache_holds_what_was_computed_and_no_pixels(tiny, new_llama):
    handler = HiREDChatHandler(tiny[1], n_threads=1)
    llama = new_llama()
    ask(handler, llama)
    full, (selection,) = handler.load().encode(photo()), handler.last_run.selections
    beside = full.newline.nbytes + 2 * full.attention_first.nbytes
    hidden, row = 4 * (selection.counts > 0).sum() * 17 * 128, 4 * 128 + 4  # a row and its id
    assert handler._cache.nbytes == beside + hidden + row * selection.visual_tokens
    handler.token_budget = TokenBudget(1.0)
    ask(handler, llama)
    assert handler._cache.nbytes == beside + row * 80  # nothing is left to compute
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
