"""Runs of a benchmark with round numbers, and a document of them."""

from __future__ import annotations

from dataclasses import asdict

from hired_gguf.bench.measurement import Measurement


def a_run(engine="ours", budget=0.2, question=1, image=1, repetition=1, **fields):
    numbers = Measurement(
        ttft_s=4.0,
        encode_s=1.0,
        encode_per_tile_s=0.2,
        select_s=0.0,
        prefill_visual_s=2.0,
        prefill_text_s=1.0,
        total_s=5.0,
        token_s=0.05,
        tokens_per_s=3.0,
        peak_rss_bytes=2**30,
        kv_visual_bytes=2**20,
        visual_tokens=100,
        visual_tokens_full=500,
        partitions=5,
        prompt_tokens=150,
        completion_tokens=15,
        n_ctx=512,
        kernel="ggml",
    )
    head = {
        "type": "q4_0",
        "engine": engine,
        "budget": budget if engine == "ours" else None,
        "question": question,
    }
    return {
        **head,
        "image": image,
        "repetition": repetition,
        **asdict(numbers),
        "others_cores": 0.0,
        **fields,
    }


def a_document(**parts):
    versions = {"hired-gguf": "1", "llama-cpp-python": "2"}
    facts = {"processor": "a CPU", "threads": 2, "commit": None, "versions": versions}
    empty = {"runs": [], "failures": [], "ratios": {}, "ratios_spread": {}, "fits": {}, "predictions": []}
    empty |= {"depth": None, "full_depth": [], "probes": {}}
    return {"command": "hired-gguf bench", "model": ["a/llava.gguf"], "machine": facts, **empty, **parts}
