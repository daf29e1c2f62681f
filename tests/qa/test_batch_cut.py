"""An output file that was cut off anywhere: the next run completes it, and asks only for what is missing."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from parrot import Parrot
from PIL import Image

from hired_gguf.qa import lines_file
from hired_gguf.qa.batch import ask_many
from hired_gguf.qa.opener import Opener
from hired_gguf.qa.settings import QaSettings

SETTINGS = QaSettings(model="a", mmproj="b")


@pytest.mark.slow
def test_cut_off_at_every_byte_of_the_last_two_records(own_folder, monkeypatch):
    """More than a thousand runs."""
    monkeypatch.setattr(lines_file.os, "fsync", lambda fd: None)
    Image.effect_noise((20, 20), 60).save("a.png")
    output, torn = own_folder / "o.jsonl", own_folder / "o.jsonl.torn"
    tasks = [{"image": "a.png", "question": question} for question in "QRST"]

    def run():
        parrot = Parrot()
        records = list(ask_many(Opener(lambda: nullcontext(parrot)), tasks, SETTINGS, output=output))
        return records, [question for question, _ in parrot.asked]

    expected, asked = run()
    assert asked == [*"QRST"]
    whole = output.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert [json.loads(line) for line in lines] == expected
    for size in range(len(lines[0] + lines[1]), len(whole)):
        output.write_bytes(whole[:size])
        records, asked = run()
        assert records == expected
        kept, _, tail = whole[:size].rpartition(b"\n")
        assert asked == [*"QRST"][kept.count(b"\n") + 1 :]
        assert output.read_bytes() == whole
        assert (torn.read_bytes() if torn.exists() else b"") == (tail + b"\n" if tail else b"")
        torn.unlink(missing_ok=True)
