"""The training as a whole: it runs, and goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from train.schedule import Plan, Stage
from train.sizes import TILE
from training import SEED, with_torch

from hired_gguf import LlavaNext
from hired_gguf.model_files import builtin
from hired_gguf.scenes import make_scene


@with_torch
def test_training_runs_and_goes_on(modules, tmp_path, capsys):
    stage = Stage(steps=2, batch=4, rate=1e-3, warmup=1)
    names = ("letters", "encoder", "words", "align", "tiles", "together", "images")
    plan = replace(Plan(), crowded=5, plain=5, pages=5, grow=1, **dict.fromkeys(names, stage))
    with modules.torch.enable_grad():
        train = import_module("train.__main__").train
        train(plan, tmp_path)
        pair = [tmp_path / name for name in builtin.NAMES]
        written = [path.read_bytes() for path in pair]
        stamps = [path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")]
        train(plan, tmp_path)
        assert [path.read_bytes() for path in pair] == written
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")] == stamps
    assert "recall of text patches at 0.2" in capsys.readouterr().out
    image = make_scene("train", SEED, 1, tile=TILE).image
    with LlavaNext(*pair) as llm:
        assert llm.ask(image, "How many stars are there?", max_tokens=3).completion_tokens > 0
