"""The native side: one llama.cpp in the process, refusals instead of aborts, Ctrl-C, the GIL."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from golden_pair import rows_of
from paths import ROOT

import hired_gguf
from hired_gguf import _core
from hired_gguf.context.prefill import prefill
from hired_gguf.errors import InputError, NumericError
from hired_gguf.native.llama import clear
from hired_gguf.native.load import PIN
from hired_gguf.progress import Timings
from models import load_llama

pytestmark = pytest.mark.slow  # natively, in processes or in many cases: seconds in all

ROWS = np.random.default_rng(0).standard_normal((100, 128)).astype(np.float32)
BREAK_AFTER = 0.1  # s


def logits(llama, token=5):
    llama.eval([token])
    return np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(llama.n_vocab(),)).copy()


def put(llama, rows=ROWS, n_past=0, n_batch=64):
    """Rows into an empty context."""
    if n_past == 0:
        clear(llama)
    _core.prefill_rows(llama._ctx.ctx, rows, n_past, n_batch)
    llama.n_tokens = n_past + len(rows)


# One engine


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the loader's map is read from /proc")
@pytest.mark.parametrize("library", ["libllama", "libggml-base", "libggml"])
def test_one_of_each_library_in_the_process(library):
    lines = Path("/proc/self/maps").read_text().splitlines()
    mapped = {line.split(maxsplit=5)[5] for line in lines if "/" in line}
    found = [path for path in mapped if re.fullmatch(rf"{library}\.so[.\d]*", Path(path).name)]
    assert len(found) == 1
    assert Path(found[0]).parent == Path(llama_cpp.__file__).parent / "lib"


def test_the_pin_is_the_same_everywhere():
    pyproject = (ROOT / "pyproject.toml").read_text()
    pins = re.findall(r'"llama-cpp-python(.*?)"', pyproject)
    assert pins == [f"=={PIN}"] * 2
    assert _core.LLAMA_CPP_PYTHON == PIN == llama_cpp.__version__


def run_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (
            "import llama_cpp; llama_cpp.__version__ = '0.3.35'",
            f"ImportError: hired-gguf is built for llama-cpp-python {PIN}, but 0.3.35 is installed. "
            f"Run: pip install llama-cpp-python=={PIN}",
        ),
        (
            "import sys; sys.modules['llama_cpp'] = None",
            f"ImportError: hired-gguf needs llama-cpp-python {PIN}, which does not import: ",
        ),
    ],
)
def test_another_llama_cpp_python_is_refused(before, said):
    done = run_python(f"{before}; import hired_gguf")
    assert done.returncode == 1
    assert said in done.stderr


def test_a_process_with_models_ends_cleanly(tiny):
    """Nothing is closed: the interpreter's exit frees in any order."""
    done = run_python(
        "import numpy as np, hired_gguf\n"
        f"llm = hired_gguf.LlavaNext({str(tiny[0])!r}, {str(tiny[1])!r}, n_ctx=512, n_threads=1)\n"
        "print(llm.ask(np.zeros((60, 80, 3), np.uint8), 'What?', max_tokens=3).completion_tokens)\n"
        "stream = llm.ask(None, 'What?', stream=True); next(stream)"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_public_names_exist():
    for name in hired_gguf.__all__:
        assert getattr(hired_gguf, name) is not None


def test_devices():
    names = [device.name for device in _core.list_devices()]
    assert "CPU" in names
    for device in _core.list_devices():
        assert device.memory_total >= device.memory_free >= 0
        assert device.description
    assert _core.has_backend("CPU")
    assert not _core.has_backend("Abacus")


# Prefill of rows: refused before llama.cpp, which aborts or reads past the end


@pytest.mark.parametrize("n_batch", [1, 7, 64, 100, 512])
def test_batches_do_not_matter(golden_llama, n_batch):
    put(golden_llama, n_batch=100)
    right = logits(golden_llama)
    put(golden_llama, n_batch=n_batch)
    np.testing.assert_allclose(logits(golden_llama), right, atol=1e-3)


def test_one_call_or_two(golden_llama):
    put(golden_llama)
    right = logits(golden_llama)
    put(golden_llama, ROWS[:33])
    put(golden_llama, ROWS[33:], n_past=33)
    np.testing.assert_allclose(logits(golden_llama), right, atol=1e-3)


def spoiled(value, row, column):
    rows = ROWS.copy()
    rows[row, column] = value
    return rows


TOO_LONG = np.zeros((1025, 128), np.float32)
REFUSED = {
    "[prefill] rows are 127 wide, the language model takes 128": (ROWS[:, :-1].copy(), 0, 64),
    "[prefill] rows are 129 wide": (np.pad(ROWS, ((0, 0), (0, 1))), 0, 64),
    "[prefill] rows are 0 wide": (ROWS[:, :0].copy(), 0, 64),
    "[prefill] rows at positions -1 to 98 in a context of 1024": (ROWS, -1, 64),
    "[prefill] rows at positions 925 to 1024 in a context of 1024": (ROWS, 925, 64),
    "[prefill] rows at positions 0 to 1024 in a context of 1024": (TOO_LONG, 0, 64),
    "[prefill] n_batch 0; allowed: 1 to 512": (ROWS, 0, 0),
    "[prefill] n_batch 513; allowed: 1 to 512": (ROWS, 0, 513),
    "[prefill] a visual row holds NaN": (spoiled(np.nan, 50, 7), 0, 64),
    "[prefill] a visual row holds NaN or infinity": (spoiled(-np.inf, 99, 127), 0, 64),
}


@pytest.mark.parametrize("said", REFUSED)
def test_refused_rows(golden_llama, said):
    put(golden_llama)
    right = logits(golden_llama)
    put(golden_llama)
    with pytest.raises(NumericError if "NaN" in said else InputError, match=re.escape(said)):
        _core.prefill_rows(golden_llama._ctx.ctx, *REFUSED[said])
    np.testing.assert_array_equal(logits(golden_llama), right)


@pytest.mark.parametrize("rows", [ROWS[0], ROWS[None], "rows", None])
def test_rows_of_another_shape(golden_llama, rows):
    with pytest.raises(TypeError, match="incompatible function arguments"):
        _core.prefill_rows(golden_llama._ctx.ctx, rows, 0, 64)


def test_a_context_that_is_not_there():
    with pytest.raises(
        InputError, match=r"^\[prefill\] context is 0; the address of a llama_context is needed$"
    ):
        _core.prefill_rows(0, ROWS, 0, 64)


def test_rows_need_not_be_contiguous(golden_llama):
    put(golden_llama)
    right = logits(golden_llama)
    put(golden_llama, np.asfortranarray(ROWS))
    np.testing.assert_array_equal(logits(golden_llama), right)


def test_the_last_position_of_a_context(golden_llama):
    put(golden_llama, np.resize(ROWS, (1023, 128)), n_batch=512)
    assert np.isfinite(logits(golden_llama)).all()
    put(golden_llama, np.resize(ROWS, (1024, 128)), n_batch=512)
    put(golden_llama)
    assert np.isfinite(logits(golden_llama)).all()


# Ctrl-C and threads

interruptible = pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process on Windows")


@pytest.fixture(scope="module")
def busy_model(small):
    model = _core.VisionModel(str(small[1]), n_threads=1)
    pixels = np.random.default_rng(0).standard_normal((8, 3, 112, 112)).astype(np.float32)
    return model, pixels


@pytest.fixture
def busy_llama(small):
    llama = load_llama(small[0], n_ctx=2048)
    yield llama
    llama.close()


def interrupted(work):
    """Seconds until Ctrl-C ended the work; fails if the work ended first."""
    timer = threading.Timer(BREAK_AFTER, os.kill, (os.getpid(), signal.SIGINT))
    started, finished = time.monotonic(), False
    try:
        timer.start()
        work()
        finished = True
        time.sleep(30)  # so that the signal does not hit the rest of the tests
    except KeyboardInterrupt:
        pass
    timer.join()
    assert not finished
    return time.monotonic() - started


@interruptible
def test_ctrl_c_ends_encoding(busy_model):
    model, pixels = busy_model
    right = model.encode(pixels[:2], [0])
    many = np.tile(pixels, (100, 1, 1, 1))
    for _ in range(2):
        assert interrupted(lambda: model.encode(many, [0])) < 5
    again = model.encode(pixels[:2], [0])
    np.testing.assert_array_equal(again[0][0], right[0][0])
    np.testing.assert_array_equal(again[2], right[2])


@interruptible
def test_ctrl_c_ends_either_step(busy_model):
    model, pixels = busy_model
    (attention,), hidden = model.begin(pixels[:2], [0])
    ids = np.arange(2 * 64, dtype=np.int32)
    right = model.finish(hidden, ids)
    many, much = np.tile(pixels, (100, 1, 1, 1)), np.tile(hidden, (2000, 1, 1))
    assert interrupted(lambda: model.begin(many, [0])) < 5
    assert interrupted(lambda: model.finish(much, np.arange(4000 * 64, dtype=np.int32))) < 5
    again, hidden = model.begin(pixels[:2], [0])
    np.testing.assert_array_equal(again[0], attention)
    np.testing.assert_array_equal(model.finish(hidden, ids), right)


@interruptible
@pytest.mark.parametrize("n_batch", [8, 512])
def test_ctrl_c_ends_prefill(busy_llama, capfd, n_batch):
    few, many = np.ones((20, 512), np.float32), np.ones((2000, 512), np.float32)
    put(busy_llama, few)
    right = logits(busy_llama)
    put(busy_llama, few)
    assert interrupted(lambda: _core.prefill_rows(busy_llama._ctx.ctx, many, 20, n_batch)) < 20
    np.testing.assert_allclose(logits(busy_llama), right, atol=1e-3)  # the 20 rows are still there
    put(busy_llama, few)
    np.testing.assert_array_equal(logits(busy_llama), right)
    assert "Traceback" not in capfd.readouterr().err


@interruptible
@pytest.mark.parametrize(("n_batch", "left"), [(256, {0, 4}), (512, {0, 4})])
def test_ctrl_c_ends_a_prompt_of_text_and_rows(small, n_batch, left):
    """Whole images are left, and the next prompt is evaluated as in an empty context."""
    llama = load_llama(small[0], n_ctx=8192, n_batch=n_batch)
    prompt = [[1, 5, 6, 7], rows_of(np.ones((8000, 512), np.float32)), [5]]
    assert interrupted(lambda: prefill(llama, prompt, Timings())) < 20
    assert llama.n_tokens in left
    few = [[1, 5, 6, 7], rows_of(np.ones((20, 512), np.float32)), [5]]
    prefill(llama, few, Timings())
    found = logits(llama)
    clear(llama)
    prefill(llama, few, Timings())
    np.testing.assert_allclose(found, logits(llama), atol=1e-3)
    llama.close()


def ticks_during(work):
    """How often another thread gets to run in the meantime."""
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.005):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    work()
    done.set()
    thread.join()
    return len(ticks)


def test_other_threads_run_during_encoding(busy_model):
    model, pixels = busy_model
    many = np.tile(pixels, (6, 1, 1, 1))
    assert ticks_during(lambda: model.encode(many, [0])) >= 5


def test_other_threads_run_during_prefill(busy_llama):
    rows = np.ones((600, 512), np.float32)
    assert ticks_during(lambda: put(busy_llama, rows, n_batch=512)) >= 5


def test_a_busy_thread_does_not_slow_encoding_to_a_crawl(busy_model):
    """Asking for signals takes the GIL, which a busy thread gives away every 5 ms only."""
    model, pixels = busy_model
    model.encode(pixels[:1], [0])
    busy, polls = threading.Event(), 20 * 7

    def spin():
        while not busy.is_set():
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    started = time.monotonic()
    for _ in range(10):
        model.encode(pixels[:1], [0])
    took = time.monotonic() - started
    busy.set()
    thread.join()
    assert took < 10 * polls * 0.005
