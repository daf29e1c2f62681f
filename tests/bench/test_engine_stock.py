"""Timing stock llama-cpp-python leaves its answer as it is."""

from __future__ import annotations

import base64

import llama_cpp
import pytest
from llama_cpp.llama_chat_format import Llava16ChatHandler

from hired_gguf.bench.engine import EngineSettings
from hired_gguf.bench.engine_stock import PlainStockEngine, StockEngine, model_defaults
from hired_gguf.bench.pictures import default_picture, write_pictures
from hired_gguf.bench.plan import ANSWER_TOKENS, QUESTIONS


def test_timing_stock_does_not_change_its_answer(tiny, tmp_path):
    """Its handler as it is, and with the clock between encoding and prefill: the same tokens."""
    picture = write_pictures(tmp_path, [default_picture(1)])[0]
    engine = StockEngine(EngineSettings(*map(str, tiny), None, 512, 1, 0))
    measured = engine.ask(str(picture), QUESTIONS[0], ANSWER_TOKENS)
    llama = engine._llama
    timed = llama.input_ids[: llama.n_tokens].tolist()

    handler = Llava16ChatHandler(clip_model_path=str(tiny[1]), verbose=False)
    url = "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTIONS[0]}]
    messages = [{"role": "user", "content": content}]
    answer = handler(
        llama=llama, messages=messages, max_tokens=ANSWER_TOKENS, temperature=0.0, repeat_penalty=1.0
    )
    plain = llama.input_ids[: llama.n_tokens].tolist()
    llama.close()

    assert timed[measured.prompt_tokens :] == plain[measured.prompt_tokens :]
    assert len(timed) == len(plain) == measured.prompt_tokens + ANSWER_TOKENS - 1
    assert measured.completion_tokens == answer["usage"]["completion_tokens"] == ANSWER_TOKENS
    assert measured.prompt_tokens == answer["usage"]["prompt_tokens"]
    assert measured.visual_tokens == 80
    stages = measured.encode_s + measured.prefill_visual_s + measured.prefill_text_s
    assert 0 < stages < measured.ttft_s < measured.total_s


def test_stocks_second_way_sets_what_no_argument_does(monkeypatch, tiny):
    seen = []
    load = llama_cpp.llama_cpp.llama_model_load_from_file

    def spy(path, params):
        seen.append(params.use_extra_bufts)
        return load(path, params)

    monkeypatch.setattr(llama_cpp.llama_cpp, "llama_model_load_from_file", spy)
    usual = llama_cpp.llama_cpp.llama_model_default_params
    for engine in (StockEngine, PlainStockEngine):
        engine(EngineSettings(*map(str, tiny), None, 512, 1, 0))._llama.close()
    assert seen == [True, False]
    assert llama_cpp.llama_cpp.llama_model_default_params is usual


def test_defaults_come_back_after_an_error():
    usual = llama_cpp.llama_cpp.llama_model_default_params

    def fail():
        with model_defaults(use_extra_bufts=False):
            assert llama_cpp.llama_cpp.llama_model_default_params().use_extra_bufts is False
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert llama_cpp.llama_cpp.llama_model_default_params is usual
