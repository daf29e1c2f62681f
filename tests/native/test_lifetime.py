"""Who calls what when: callbacks that use the model, models closed under way, and Python's end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import llama_cpp
import numpy as np
import pytest
from bare_handler import OTHER, QUESTION, TEXT_ONLY, greedy, llama_of, words
from paths import ROOT

from hired_gguf import ClosedError, LlavaNext, StreamError, VisionEncoder

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

DRIVER = ROOT / "tests" / "support" / "mixed_driver.py"
PICTURE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.fixture
def llm(tiny):
    with LlavaNext(*tiny, n_ctx=512, n_threads=1) as llm:
        yield llm


def ask(llm, question="What?", **options):
    return llm.ask(PICTURE, question, max_tokens=6, **options).text


def at(llm, stage, work):
    """Have the model's next on_progress of a stage do some work, once."""

    def tell(now, *_):
        if now == stage:
            llm.handler.on_progress = None
            work()

    llm.handler.on_progress = tell


# What a callback may do


def test_a_question_from_on_progress(llm):
    right = ask(llm)
    llm.handler.close()  # so that the picture is encoded anew
    at(llm, "encode", lambda: ask(llm, "Who?"))
    assert ask(llm) == right  # nothing was in the context yet
    at(llm, "prefill", lambda: ask(llm, "Who?"))
    with pytest.raises(StreamError, match=r"^\[prefill\] on_progress has given the model another prompt"):
        ask(llm, "Which?")
    assert ask(llm) == right


@pytest.mark.parametrize("whom", ["the front door", "the Llama"])
@pytest.mark.parametrize("stage", ["encode", "prefill"])
def test_closed_by_on_progress(llm, stage, whom):
    at(llm, stage, llm.close if whom == "the front door" else llm.llama.close)
    with pytest.raises(ClosedError, match="is closed"):
        ask(llm)
    with pytest.raises(ClosedError, match="is closed"):
        ask(llm)


def processor(work, call=3):
    """A logits processor whose third call does some work."""
    calls = []

    def process(ids, scores):
        calls.append(ids)
        if len(calls) == call:
            work()
        return scores

    return llama_cpp.LogitsProcessorList([process])


def fail():
    raise ZeroDivisionError("mine")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "said", "work"),
    [
        (ZeroDivisionError, r"^mine$", lambda llama: fail()),
        (KeyboardInterrupt, "^$", lambda llama: (_ for _ in ()).throw(KeyboardInterrupt)),
        (StreamError, "given another prompt", lambda llama: words(llama, TEXT_ONLY)),
        (ClosedError, "this Llama is closed", lambda llama: llama.close()),
    ],
)
def test_a_logits_processor_that_does_not_process(tiny, stream, error, said, work):
    """llama-cpp-python calls it from C, where an error would vanish, and the answer go on."""
    with llama_of(tiny) as llama:
        options = {"stream": stream, "logits_processor": processor(lambda: work(llama))}
        with pytest.raises(error, match=said):
            list(greedy(llama, QUESTION, **options))
        if error is not ClosedError:
            alone = words(llama, OTHER)
            assert words(llama, OTHER, logits_processor=processor(lambda: None)) == alone


def test_an_error_in_a_callback_gives_the_lock_back(llm):
    right = ask(llm)
    for stage in ("encode", "prefill"):
        llm.handler.close()
        at(llm, stage, fail)
        with pytest.raises(ZeroDivisionError):
            ask(llm, "Who?")
        others = []
        thread = threading.Thread(target=lambda: others.append(ask(llm)))  # noqa: B023  joined in the loop
        thread.start()
        thread.join(30)
        assert others == [right]


@pytest.mark.parametrize("read", [0, 1, 3])
def test_a_dropped_stream_gives_the_lock_back(llm, read):
    right = ask(llm)
    stream = llm.ask(PICTURE, "Who?", max_tokens=9, stream=True)
    for _ in range(read):
        next(stream)
    del stream
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask(llm)))
    thread.start()
    thread.join(30)
    assert answers == [right]


# Closed under way


def test_an_encoder_closed_under_way(tiny):
    encoder = VisionEncoder(tiny[1], n_threads=1)
    right, got = encoder.encode(PICTURE).projected, []

    def work():
        try:
            while True:
                got.append(encoder.encode(PICTURE).projected)
        except ClosedError as error:
            got.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    while len(got) < 2:
        pass
    encoder.close()
    encoder.close()
    thread.join(30)
    assert got.pop() == "this VisionEncoder is closed"
    assert all(np.array_equal(rows, right) for rows in got)
    with pytest.raises(ClosedError):
        encoder.encode(PICTURE)


@pytest.mark.slow
def test_a_handler_closed_under_way_loads_again(llm):
    right, stop = ask(llm), threading.Event()

    def close():
        while not stop.wait(0.001):
            llm.handler.close()

    thread = threading.Thread(target=close)
    thread.start()
    answers = {ask(llm) for _ in range(30)}
    stop.set()
    thread.join(30)
    assert answers == {right}


# Python's end


@pytest.mark.slow
@pytest.mark.parametrize(
    "work", ["llm.ask(picture, 'What?', max_tokens=9, fresh=True)", "encoder.encode(picture)"]
)
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3])
def test_python_ends_around_a_daemon_thread(tiny, work, seconds):
    """Native code that comes back to a Python that is ending would abort the process."""
    code = (
        "import threading, time, numpy as np, hired_gguf\n"
        f"model, mmproj = {str(tiny[0])!r}, {str(tiny[1])!r}\n"
        "llm = hired_gguf.LlavaNext(model, mmproj, n_ctx=512, n_threads=2, cache_bytes=0)\n"
        "encoder = hired_gguf.VisionEncoder(mmproj, n_threads=2)\n"
        "picture = np.zeros((60, 80, 3), np.uint8)\n"
        "def work():\n"
        "    while True:\n"
        f"        {work}\n"
        "for _ in range(2):\n"
        "    threading.Thread(target=work, daemon=True).start()\n"
        f"time.sleep({seconds})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("stage", ["encode", "prefill"])
def test_python_ends_around_a_callback_that_never_returns(tiny, stage):
    code = (
        "import threading, numpy as np, hired_gguf\n"
        "there = threading.Event()\n"
        "def tell(stage, *_):\n"
        f"    if stage == {stage!r}:\n"
        "        there.set()\n"
        "        threading.Event().wait()\n"
        f"model, mmproj = {str(tiny[0])!r}, {str(tiny[1])!r}\n"
        "llm = hired_gguf.LlavaNext(model, mmproj, n_ctx=512, n_threads=1, on_progress=tell)\n"
        "ask = lambda: llm.ask(np.zeros((60, 80, 3), np.uint8), 'What?')\n"
        "threading.Thread(target=ask, daemon=True).start()\n"
        "assert there.wait(30)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# All at once


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are read from /proc")
def test_a_thousand_mixed_requests_from_four_threads(tiny):
    """Two models, two encoders: right answers or the right refusals, and nothing is left behind."""
    command = [sys.executable, str(DRIVER), str(tiny[0]), str(tiny[1]), "1250"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert sum(found["right"].values()) == 1250
    assert min(found["right"].values()) > 80
    warm, *_, last = found["sizes"][1:]
    assert last[0] < warm[0] * 1.1
    assert {descriptors for _, descriptors in found["sizes"]} == {warm[1]}
