"""The private names of llama-cpp-python, all in one table, and the functions that use them."""

from __future__ import annotations

import ast
import gc
import re
from functools import partial
from operator import attrgetter

import llama_cpp
import numpy as np
import pytest
from golden_pair import MMPROJ, TEXT
from llama_cpp import llama_chat_format
from llama_cpp.llama_chat_format import Llava16ChatHandler
from paths import ROOT

from hired_gguf.errors import ClosedError
from hired_gguf.native import llama as names
from hired_gguf.native import vocabulary
from hired_gguf.native.llama import cut, keeps_logits, mark, removable, room, took_rows, trace
from models import load_llama

HEAD = [1, 143, 155, 227]
GRAMMAR = llama_cpp.LlamaGrammar.from_string('root ::= "a"', verbose=False)

#: Each name that hired_gguf uses and llama-cpp-python does not promise, as it is spelt, and what for.
NEEDED = {
    "llama._ctx.ctx": "the llama_context for _core and C calls, None once it is closed",
    "llama._ctx.kv_cache_clear": "emptying llama.cpp's memory",
    "llama._ctx.kv_cache_seq_rm": "cutting llama.cpp's memory",
    "llama._model.vocab": "the llama_vocab, for grammars",
    "llama._seed": "the seed of the next answer where the caller gives none",
    "llama._model.add_bos_token": "whether a prompt begins with BOS",
    "llama._requires_eval": "written: whether the last position must be evaluated before anything is sampled",
    "llama._sampler": "another one after each generation",
    "llama._logits_all": "whether scores must be filled and logprobs can be had",
    "llama._is_recurrent": "no cutting of a recurrent state",
    "llama._is_hybrid": "no cutting of a recurrent state",
    "llama.input_ids": "written: the ids of an image's positions",
    "llama.n_tokens": "written: the next position",
    "llama.scores": "written: the scores of an image's positions; read: logprobs",
    "grammar._grammar": "the text of a grammar, to try it before it is sampled by",
    "grammar._root": "its root",
    "llama_chat_format._convert_completion_to_chat": "a chat's answer out of a completion",
    "llama_chat_format._convert_completion_to_chat_function": "a tool's call out of a completion",
    "llama_cpp._logger.llama_log_callback": "giving the log back",
    "self._handler._init_mtmd_context": "bench: loading the stock encoder before its first answer",
    "self._handler._mtmd_cpp": "bench: timing the stock encoder from inside",
}
FILES = ("native/llama.py", "bench/engine_stock.py")


@pytest.fixture
def llama():
    llama = load_llama(TEXT)
    yield llama
    llama.close()


@pytest.fixture
def owners(llama):
    """What each name of `NEEDED` begins with."""
    return {
        "llama": llama,
        "grammar": GRAMMAR,
        "llama_chat_format": llama_chat_format,
        "llama_cpp": llama_cpp,
        "self._handler": Llava16ChatHandler(clip_model_path=str(MMPROJ), verbose=False),
    }


def lacking(owners, needed):
    """The names that are not there, each with its purpose."""
    for name, purpose in needed.items():
        (owner,) = (owner for owner in owners if name.startswith(f"{owner}."))
        try:
            attrgetter(name.removeprefix(f"{owner}."))(owners[owner])
        except AttributeError:
            yield f"{name}: {purpose}"


def test_every_name_is_there(owners):
    missing = list(lacking(owners, NEEDED))
    assert not missing, f"llama-cpp-python {llama_cpp.__version__} lacks:\n" + "\n".join(missing)


def test_names_that_are_gone_are_all_told(owners):
    gone = {"llama._gone": "one", "llama._ctx.gone": "two", "llama_cpp._gone.too": "three"}
    assert list(lacking(owners, {**NEEDED, **gone})) == [f"{name}: {why}" for name, why in gone.items()]


def private_names(path):
    """Attributes that begin with one underscore, of anything but self."""
    for node in ast.walk(ast.parse(path.read_text())):
        private = isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr)
        if private and ast.unparse(node.value) != "self":
            yield node.attr


def test_the_table_holds_every_private_name():
    used = {name for file in FILES for name in private_names(ROOT / "hired_gguf" / file)}
    assert used == {part for name in NEEDED for part in name.split(".") if part[0] == "_"} - {"_handler"}


@pytest.mark.parametrize("name", NEEDED)
def test_the_hook_refuses_the_name_elsewhere(name):
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    refused = re.search(r"id: llama-cpp-python-in-one-place\n.*?entry: '(.*?)'\n", hooks, re.DOTALL)[1]
    assert re.search(refused, f"    {name} = 1")
    assert not re.search(refused, "    self._model = self._encoder = other.model")


CALLS = {
    "address": names.address,
    "require_open": names.require_open,
    "clear": names.clear,
    "synchronize": names.synchronize,
    "removable": removable,
    "cut": partial(cut, keep=1),
    "trace": trace,
    "special_tokens": vocabulary.special_tokens,
    "token_text": partial(vocabulary.token_text, token=1),
    "token_bytes": partial(vocabulary.token_bytes, token=1),
    "is_end": partial(vocabulary.is_end, token=1),
    "adds_bos": names.adds_bos,
    "require_grammar": partial(names.require_grammar, grammar=GRAMMAR),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_closed_llama_is_refused(llama, name):
    CALLS[name](llama)
    llama.close()
    with pytest.raises(ClosedError, match="this Llama is closed"):
        CALLS[name](llama)


@pytest.mark.parametrize("n_ctx", [1, 100, 255, 256, 257])
def test_room_is_what_both_libraries_hold(n_ctx):
    llama = load_llama(TEXT, n_ctx=n_ctx)
    assert room(llama) == n_ctx
    llama.eval([1] * n_ctx)
    assert trace(llama).last_position == n_ctx - 1
    llama.close()


def test_a_cut_context_must_be_evaluated_again(llama):
    llama.eval(HEAD)
    assert cut(llama, 3)
    assert (llama.n_tokens, llama._requires_eval, trace(llama).last_position) == (3, True, 2)


def test_a_cut_that_fails_changes_nothing(llama, monkeypatch):
    llama.eval(HEAD)
    monkeypatch.setattr(llama._ctx, "kv_cache_seq_rm", lambda *_: False)
    assert not cut(llama, 3)
    assert (llama.n_tokens, llama._requires_eval, trace(llama).last_position) == (4, False, 3)


@pytest.mark.parametrize("logits_all", [False, True])
def test_rows_are_entered_at_the_end(logits_all):
    llama = load_llama(TEXT, logits_all=logits_all)
    llama.eval(HEAD)
    llama.scores[:] = 7
    took_rows(llama, [-1, -1], logits=False)
    assert llama.input_ids[: llama.n_tokens].tolist() == [*HEAD, -1, -1]
    assert llama._requires_eval  # before anything is sampled
    assert keeps_logits(llama) == logits_all
    if logits_all:
        assert llama.scores[3:7, 0].tolist() == [7, 0, 0, 7]
    mark(llama, [(1, 3), (5, 6)], 9)
    assert llama.input_ids[: llama.n_tokens].tolist() == [1, 9, 9, 227, -1, 9]
    took_rows(llama, [3, 4], logits=True)
    assert llama.input_ids[: llama.n_tokens].tolist() == [1, 9, 9, 227, -1, 9, 3, 4]
    assert not llama._requires_eval
    llama.close()


def test_a_trace_is_a_picture_of_its_moment(llama):
    llama.eval(HEAD)
    found = trace(llama)
    assert (found.ids.tolist(), found.last_position) == (HEAD, 3)
    assert found.array() is llama.input_ids
    assert found.sampler() is None
    llama.eval([7, 8])
    llama.input_ids[:] = 0
    later = trace(llama)
    assert found.ids.tolist() == HEAD
    assert later.last_position == 5
    assert np.subtract(later.evaluated, found.evaluated).tolist() == [2, 0]


def test_a_trace_keeps_nothing_alive(llama):
    next(llama.generate(HEAD, temp=0))
    found = trace(llama)
    assert found.sampler() is llama._sampler is not None
    next(llama.generate(HEAD, temp=0))
    llama.input_ids = llama.input_ids.copy()
    gc.collect()
    assert found.array() is found.sampler() is None
