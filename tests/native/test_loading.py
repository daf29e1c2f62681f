"""A word in how llama-cpp-python loads: who is heard, and what stands there afterwards."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress

import llama_cpp.llama_cpp as library
import pytest
from golden_pair import TEXT

from hired_gguf.native.loading import before_loading
from models import load_llama


@pytest.fixture
def original():
    """The function that loads, which must stand there again."""
    original = library.llama_model_load_from_file
    yield original
    assert library.llama_model_load_from_file is original


@pytest.fixture
def heard():
    return []


@pytest.fixture
def hear(heard):
    return lambda path, params: heard.append((path, params))


def test_a_llama_is_heard_of_and_its_parameters_are_taken(original, heard, hear):
    with before_loading(hear), before_loading(lambda path, params: setattr(params, "use_extra_bufts", False)):
        llama = load_llama(TEXT)
    assert [path for path, _ in heard] == [str(TEXT)]
    assert heard[0][1] is llama.model_params
    assert llama.model_params.use_extra_bufts is False
    llama.close()
    llama = load_llama(TEXT)
    assert llama.model_params.use_extra_bufts is True
    assert len(heard) == 1
    llama.close()


def test_all_are_heard_until_each_ends(original, monkeypatch, hear, heard):
    """In any order of ends, as threads have them."""
    first, second = ExitStack(), ExitStack()
    first.enter_context(before_loading(hear))
    second.enter_context(before_loading(hear))
    for stack, count in ((first, 1), (second, 0)):
        stack.close()
        heard.clear()
        with suppress(ValueError):
            load_llama(TEXT.with_name("missing.png"))  # llama-cpp-python looks before it loads
        assert heard == []
        load_llama(TEXT).close()
        assert len(heard) == count


def test_an_error_restores_too(original, hear):
    with suppress(ZeroDivisionError), before_loading(hear):
        1 / 0  # noqa: B018


def test_an_error_of_who_hears_is_the_callers(original):
    def fail(path, params):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), before_loading(fail):
        load_llama(TEXT)


def test_somebody_elses_function_stays_and_is_called(original, hear, heard):
    """Put there before, in between, or over ours and left there."""
    calls = []

    def theirs(load):
        def call(path, params):
            calls.append(path)
            return load(path, params)

        return call

    try:
        library.llama_model_load_from_file = before = theirs(original)
        with before_loading(hear):
            load_llama(TEXT).close()
            over = library.llama_model_load_from_file = theirs(library.llama_model_load_from_file)
            load_llama(TEXT).close()
        assert (len(heard), len(calls)) == (2, 3)
        assert library.llama_model_load_from_file is over
        load_llama(TEXT).close()
        assert (len(heard), len(calls)) == (2, 5)
        with before_loading(hear):
            load_llama(TEXT).close()
        assert (len(heard), len(calls)) == (3, 7)
        assert library.llama_model_load_from_file is over is not before
    finally:
        library.llama_model_load_from_file = original


def test_threads(original):
    """Each hears its own load at least, and nothing is left over."""
    wrong = []

    def work(number):
        for _ in range(20):
            heard = []
            with before_loading(lambda path, params, heard=heard: heard.append(path)):
                load_llama(TEXT, vocab_only=True).close()
            if not heard:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
