"""Contexts that are used again and again, the answers of fresh ones, and both ways of a prompt's batches."""

from __future__ import annotations

import llama_cpp
import pytest
from contexts import ask, assert_close

from hired_gguf import HiREDChatHandler, VisionEncoder, _core
from hired_gguf.context import prefill as prefill_module


@pytest.fixture
def counted(monkeypatch):
    """Every encoding, row batch and text batch: ("encode",), ("rows", n), ("text", n)."""
    work = []
    encode, rows, text = VisionEncoder.encode_tiled, _core.prefill_rows, llama_cpp.Llama.eval

    def spy(function, name, size):
        return lambda *args, **named: (work.append((name, *size(args))), function(*args, **named))[1]

    monkeypatch.setattr(VisionEncoder, "encode_tiled", spy(encode, "encode", lambda args: ()))
    monkeypatch.setattr(_core, "prefill_rows", spy(rows, "rows", lambda args: (len(args[1]),)))
    monkeypatch.setattr(llama_cpp.Llama, "eval", spy(text, "text", lambda args: (len(args[1]),)))
    return work


@pytest.fixture
def apart(monkeypatch):
    """Text and images are evaluated apart, as with architectures whose tokens are no rows."""
    monkeypatch.setattr(prefill_module, "token_table", lambda llama: None)


@pytest.fixture
def used(tiny, new_llama):
    """A context with a handler of its own."""
    handler = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)
    yield new_llama(chat_handler=handler)
    handler.close()


@pytest.fixture
def right(tiny, new_llama):
    """The answer of a context that nobody has used, whose images are encoded anew."""
    handler = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1, cache_bytes=0)
    yield lambda messages, **options: ask(new_llama(chat_handler=handler), messages, **options)
    handler.close()


@pytest.fixture
def check(used, right):
    """Asks the used context, and holds its answer against that of a fresh one. The call's record."""

    def check(messages, handler=None, **options):
        found, wanted = ask(used, messages, handler, **options), right(messages, **options)
        assert found[0] == wanted[0]
        assert_close(found[1], wanted[1])
        return (handler or used.chat_handler).last_run

    return check
