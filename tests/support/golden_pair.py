"""The golden pair, its pictures, and short ways to write messages."""

from __future__ import annotations

import hashlib

import numpy as np
from paths import GOLDEN_FOLDER

from hired_gguf.context.ledger import ImageRows

FOLDER = GOLDEN_FOLDER / "hf_tiny"
NAMES = ("astronaut", "chelsea", "coffee", "rocket")
MMPROJ, TEXT = FOLDER / "mmproj-f32.gguf", FOLDER / "text-f32.gguf"


def photo(name="astronaut"):
    return FOLDER / f"{name}.png"


def golden(name):
    with np.load(FOLDER / f"{name}.npz") as numbers:
        return dict(numbers)


def image(source):
    return {"type": "image_url", "image_url": {"url": str(source)}}


def user(*parts):
    """A user message; a dict is a part, a string is text."""
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return {"role": "user", "content": content}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


def rows_of(rows):
    """An image of a prompt, from its rows."""
    return ImageRows(hashlib.sha256(rows.tobytes()).hexdigest(), rows)


def cosines(a, b):
    """Of matching rows."""
    a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
    return (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def answer_of(completion):
    return completion["choices"][0]["message"]["content"]


def text_of(chunks):
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
