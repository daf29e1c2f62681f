"""Scenes drawn once, cut into partitions and labelled, kept in files: tens of thousands, some 20 ms each."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hired_gguf._core import make_tiling
from hired_gguf.files import replacing
from hired_gguf.scenes import Scene, make_scene
from hired_gguf.scenes.layout import pinpoints
from hired_gguf.vision.preprocess import preprocess

from .patch_labels import label
from .sizes import PATCH, TILE

SHARD = 250


@dataclass(frozen=True)
class Picture:
    """Partitions [P, S, S, 3] uint8, labels [P, N, groups] uint8, and the scene; its image is only a size."""

    partitions: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    scene: Scene


def render(seed: int, index: int, crowded: bool, split: str = "train") -> Picture:
    """Draw, cut and label one picture."""
    scene = make_scene(split, seed, index, tile=TILE, crowded=crowded)
    image = scene.image
    tiling = make_tiling((image.height, image.width), pinpoints(TILE), TILE, PATCH)
    values = preprocess(image, tiling, (0, 0, 0), (1 / 255,) * 3)
    pixels = np.ascontiguousarray(np.rint(values).astype(np.uint8).transpose(0, 2, 3, 1))
    return Picture(pixels, label(scene, tiling), Scene(Image.new("1", image.size), scene.items))


def _shard(job: tuple[Path, int, int, int, bool]) -> Path:
    path, seed, first, count, crowded = job
    return keep(path, [render(seed, first + i, crowded) for i in range(count)])


def keep(path: Path, pictures: list[Picture]) -> Path:
    """Write pictures: the pixels into a file beside ``path``, first, which processes then share."""
    with replacing(path.with_suffix(".npy")) as partial, partial.open("wb") as file:
        np.save(file, np.concatenate([p.partitions for p in pictures]))
    with replacing(path) as partial:
        partial.write_bytes(
            pickle.dumps([(p.labels, p.scene.image.size, p.scene.items) for p in pictures], 5)
        )
    return path


def render_all(folder: Path, count: int, seed: int, crowded: bool) -> list[Path]:
    """Draw ``count`` pictures into files of `SHARD`, those that are there already excepted."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, count, SHARD)
    jobs = [(folder / f"{i:06}.pickle", seed, i, min(SHARD, count - i), crowded) for i in starts]
    missing = [job for job in jobs if not job[0].exists()]
    if missing:
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            for done, _ in enumerate(pool.imap_unordered(_shard, missing), 1):
                print(f"drawn {done * SHARD}/{len(missing) * SHARD} {folder.name}", flush=True)
    return [job[0] for job in jobs]


def load(paths: list[Path]) -> list[Picture]:
    """All pictures of these files; their pixels stay there until they are looked at."""
    out = []
    for path in paths:
        partitions, first = np.load(path.with_suffix(".npy"), mmap_mode="c"), 0
        for labels, size, items in pickle.loads(path.read_bytes()):  # our own files, in a folder of our own
            last = first + len(labels)
            out.append(Picture(partitions[first:last], labels, Scene(Image.new("1", size), items)))
            first = last
    return out


def batches(pictures: int, batch: int, seed: int, skip: int = 0) -> Iterator[list[int]]:
    """Endless shuffled batches of picture numbers; ``skip`` leaves out those of an earlier run."""
    epoch = 0
    while True:
        order = list(range(pictures))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        for i in range(0, pictures - batch + 1, batch):
            if skip:
                skip -= 1
                continue
            yield order[i : i + batch]
        epoch += 1
