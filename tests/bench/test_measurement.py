"""What one answer is measured by: bytes of keys and values, seconds of a stream."""

from __future__ import annotations

from hired_gguf.bench.measurement import StreamClock, kv_bytes_per_token


def test_key_value_bytes_are_those_of_the_shape():
    shape = {"llama.block_count": "32", "llama.embedding_length": "4096", "llama.attention.head_count": "32"}
    vicuna = {"general.architecture": "llama", **shape}
    assert kv_bytes_per_token(vicuna) == 2 * 32 * 4096 * 2
    assert kv_bytes_per_token({**vicuna, "llama.attention.head_count_kv": "8"}) == 2 * 32 * 1024 * 2


def test_stream_clock_starts_before_the_stream():
    clock = StreamClock()
    clock.read(iter(["", "a", "b"]))
    assert 0 < clock.first_s <= clock.total_s
    silent = StreamClock()
    silent.read(iter([]))
    assert silent.first_s == silent.total_s > 0
