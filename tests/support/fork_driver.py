"""Forks around native work: `python fork_driver.py MODEL MMPROJ SCENE` prints what children came to, as JSON.

A child that waits for ever is ended after HANG seconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import llama_cpp
import numpy as np

from hired_gguf import HiREDChatHandler, LlavaNext, VisionEncoder
from hired_gguf.native.process import NativeLock, in_stale_fork

MODEL, MMPROJ = sys.argv[1:3]
PICTURE = np.full((60, 80, 3), 90, np.uint8)
URL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # a pixel
HANG = 30


def forked(work):
    """What a child came to: what the work gave, the error's type and text, or the signal that ended it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(HANG)
        try:
            said = work()
        except Exception as error:
            said = [type(error).__name__, str(error)]
        os.write(write, json.dumps(said).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(said) if code == 0 else code


def load(threads=2, **options):
    return LlavaNext(MODEL, MMPROJ, n_ctx=512, n_threads=threads, **options)


def ask(llm, question="What?", image=PICTURE):
    return llm.ask(image, question, max_tokens=3).completion_tokens


def before():
    """Nothing native was called yet, or models were loaded and not used."""
    llm = load()
    return {
        "load and ask": forked(lambda: ask(load())),
        "ask what the parent loaded": forked(lambda: ask(llm)),
        "ask twice": forked(lambda: [ask(llm), ask(llm, "Who?"), ask(llm, image=None)]),
        "a child of the child": forked(lambda: forked(lambda: ask(llm))),
        "the parent": ask(llm),
    }


def after():
    """The parent has asked, on two threads."""
    llm, encoder = load(), VisionEncoder(MMPROJ, n_threads=2)
    stream = llm.ask(None, "What?", max_tokens=5, stream=True)
    next(stream)
    llama = llama_cpp.Llama(MODEL, chat_handler=llm.handler, n_ctx=512, n_threads=2, verbose=False)
    message = [{"role": "user", "content": "What?"}]

    def close():
        llm.close()
        encoder.close()
        return "closed"

    return {
        "ask": forked(lambda: ask(llm)),
        "ask without a picture": forked(lambda: ask(llm, image=None)),
        "ask_many": forked(lambda: list(llm.ask_many([{"image": URL, "question": "What?"}]))),
        "chat": forked(lambda: llm.chat().send("What?").text),
        "the rest of a stream": forked(lambda: list(stream)),
        "the handler": forked(lambda: llama.create_chat_completion(message)["usage"]),
        "encode": forked(lambda: encoder.encode(PICTURE).tiling.partitions),
        "load a model": forked(lambda: ask(load())),
        "load an encoder": forked(lambda: VisionEncoder(MMPROJ) and "loaded"),
        "in a thread": forked(lambda: in_thread(lambda: ask(llm))),
        "a child of the child": forked(lambda: forked(lambda: ask(llm))),
        "close": forked(close),
        "the parent": len(list(stream)) and ask(llm),
    }


def encoded():
    """The parent has encoded alone."""
    encoder = VisionEncoder(MMPROJ, n_threads=2)
    encoder.encode(PICTURE)
    return {"load and ask": forked(lambda: ask(load()))}


def elsewhere():
    """The parent has used the Llama past us, and never asked us."""
    handler = HiREDChatHandler(MMPROJ, n_threads=2)
    llama = llama_cpp.Llama(MODEL, chat_handler=handler, n_ctx=512, n_threads=2, verbose=False)
    message = [{"role": "user", "content": "What?"}]
    llama.create_completion("What?", max_tokens=2)
    return {"the handler": forked(lambda: llama.create_chat_completion(message, max_tokens=2)["usage"])}


def in_thread(work):
    got = []

    def run():
        try:
            got.append(work())
        except Exception as error:
            got.append([type(error).__name__, str(error)])

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return got[0]


def one_thread():
    """No native thread was ever started: a copy of the process can go on."""
    llm = load(1)
    return {
        "the parent": ask(llm),
        "ask": forked(lambda: ask(llm, "Who?")),
        "again": forked(lambda: ask(llm)),
    }


def under_way():
    """Another thread of the parent was asking, and its lock is held for ever in the child."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(*_):
        begun.set()
        go_on.wait(HANG)

    llm = load(1, on_progress=wait)
    thread = threading.Thread(target=lambda: ask(llm))
    thread.start()
    begun.wait(HANG)
    found = {"ask": forked(lambda: ask(llm)), "close": forked(lambda: [llm.close(), in_stale_fork()])}
    go_on.set()
    thread.join()
    return {**found, "the parent": ask(llm), "later": forked(lambda: ask(llm))}


def multiprocessing_way():
    """What ProcessPoolExecutor makes of it, by fork and by spawn."""
    ask(load())
    found = {}
    for method in ("fork", "spawn"):
        with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
            try:
                found[method] = pool.submit(pool_work, MODEL, MMPROJ).result(HANG)
            except Exception as error:
                found[method] = [type(error).__name__, str(error)]
    return found


def pool_work(model, mmproj):
    with LlavaNext(model, mmproj, n_ctx=512, n_threads=2) as llm:
        return ask(llm)


def exits():
    """A child that ends as Python ends, with the parent's model in its hands."""
    llm = load()
    ask(llm)
    child = os.fork()
    if child == 0:
        signal.alarm(HANG)
        sys.exit(7)
    return {"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "the parent": ask(llm)}


def cost():
    """Microseconds that a lock costs."""
    lock, started = NativeLock(), time.perf_counter()
    for _ in range(10000):
        with lock:
            pass
    return {"us": (time.perf_counter() - started) * 100}


if __name__ == "__main__":
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # Python 3.12
    scenes = (before, after, encoded, elsewhere, one_thread, under_way, multiprocessing_way, exits, cost)
    print(json.dumps({scene.__name__: scene for scene in scenes}[sys.argv[3]]()))
