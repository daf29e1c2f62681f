"""SECURITY.md: each number in it is the code's, and what it says holds a promise is there."""

from __future__ import annotations

import re
import runpy

from documents import TEXTS, section, table
from paths import ROOT

from hired_gguf.images import fetch
from hired_gguf.images.load import FORMATS
from hired_gguf.images.sources import MAX_BYTES
from hired_gguf.model_files.gguf_header import MAX_HEADER
from hired_gguf.prompt import bounds

TEXT = TEXTS["SECURITY.md"]
RUNNER = runpy.run_path(str(ROOT / "tests" / "fuzz" / "run.py"))
PROMISES = {row[0]: row[1:] for row in table(section(TEXT, "What is promised"))}
CORPUS = ROOT / "tests" / "fuzz" / "corpus"


def promise(name):
    return " | ".join(PROMISES[name])


def test_model_files():
    forged = runpy.run_path(str(ROOT / "tests" / "model_files" / "test_forged_files.py"))["COUNTS"]
    gguf = target("gguf")
    said = promise("model files of others")
    assert f"{sum(forged.values())} forged pairs" in said
    assert f"at most {MAX_HEADER >> 20} MiB of header" in said
    assert (gguf.seconds, f"within a second, {gguf.megabytes} MB of memory" in said) == (1.0, True)


def target(name):
    return __import__(f"fuzzing.{name}", fromlist=["TARGET"]).TARGET


def test_chat_templates(monkeypatch):
    source = (ROOT / "hired_gguf" / "prompt" / "bounds.py").read_text()
    seconds = re.search(r"^MAX_SECONDS = ([\d.]+)", source, re.MULTILINE)[
        1
    ]  # the fuzzer's target sets its own
    said = promise("chat templates in model files")
    assert f"{float(seconds):g} s of processor time" in said
    assert f"{bounds.MAX_STEPS} steps" in said
    assert f"{bounds.MAX_CHARACTERS >> 20} Mi characters" in said
    assert f"a value of {bounds.MAX_WEIGHT >> 20} Mi characters and items" in said


def test_pictures_and_answers_of_servers():
    assert f"of {', '.join(FORMATS)};" in promise("pictures of others")
    said = promise("servers' answers")
    assert f"at most {MAX_BYTES >> 20} MiB, 20 s and {fetch.MAX_REDIRECTS} redirects" in said
    assert fetch.fetch_url.__kwdefaults__ == {"max_bytes": MAX_BYTES, "timeout": 20.0, "allow_private": False}


def test_fuzzing():
    named = {
        name for row in PROMISES.values() for name in re.findall(r"`(\w+)`", row[1].partition("fuzzing:")[2])
    }
    assert named == set(RUNNER["TARGETS"])
    inputs = [path for path in CORPUS.rglob("*") if path.is_file()]
    gate = re.findall(r"run\.py --seed 1 --seconds (\d+) (.*)", (ROOT / ".ci" / "run").read_text())
    seconds = sum(int(n) * len(names.split()) for n, names in gate)
    said = " ".join(TEXT.split())
    assert f"Fuzzing has {len(RUNNER['TARGETS'])} targets and {len(inputs)} inputs in the repository." in said
    assert f"the gate fuzzes for {seconds} s with every run" in said


def test_what_holds_a_promise_is_there():
    held = [path for row in PROMISES.values() for path in re.findall(r"`(tests/[\w/.]+)`", row[1])]
    assert len(held) >= 7
    assert [path for path in held if not (ROOT / path).exists()] == []
    assert all("tests/" in row[1] for row in PROMISES.values())
