"""What a model of full width and few layers says of the whole one: computed, not measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ..model_files.pair import read_model_parts
from .plan import FIRST, by_case

PARTS = ("encode_s", "select_s", "prefill_visual_s", "prefill_text_s")
EACH_TOKEN = ("blk.", "output.weight")  # tensors that every token of the answer reads


def depth_facts(texts: Mapping[str, Path], whole: int) -> dict[str, Any]:
    """How many text layers are measured and the ``whole`` shape has.

    ``token_factor`` is how many times as many bytes a token of the answer reads in the whole, by type.
    """
    (layers,) = {_layers(path) for path in texts.values()}
    factors = {kind: _token_factor(path, layers, whole) for kind, path in texts.items()}
    return {"layers": layers, "whole": whole, "token_factor": factors}


def _layers(path: Path) -> int:
    names = [name for part in read_model_parts(path) for name in part.tensors if name.startswith("blk.")]
    return len({name.split(".")[1] for name in names})


def _token_factor(path: Path, layers: int, whole: int) -> float:
    tensors = [tensor for part in read_model_parts(path) for tensor in part.tensors.values()]
    in_layers, once = (sum(t.nbytes for t in tensors if t.name.startswith(start)) for start in EACH_TOKEN)
    return (in_layers / layers * whole + once) / (in_layers + once)


def full_depth(runs: Sequence[Mapping[str, Any]], depth: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A first question's seconds with all layers, by case, from medians.

    Each layer takes the same time: prefill grows as the layers, a token of the answer as the bytes that it
    reads. Encoding, selection and what is left of the first token's time have no text layers.
    """
    rows = []
    for group in by_case(runs, FIRST).values():
        found = {name: median(run[name] for run in group) for name in (*PARTS, "ttft_s", "token_s")}
        rest = max(0.0, found["ttft_s"] - sum(found[name] for name in PARTS))
        for name in ("prefill_visual_s", "prefill_text_s"):
            found[name] *= depth["whole"] / depth["layers"]
        found["ttft_s"] = sum(found[name] for name in PARTS) + rest
        found["token_s"] *= depth["token_factor"][group[0]["type"]]
        found["total_s"] = found["ttft_s"] + (group[0]["completion_tokens"] - 1) * found["token_s"]
        rows.append({name: group[0][name] for name in ("type", "engine", "budget", "kernel")} | found)
    return rows
