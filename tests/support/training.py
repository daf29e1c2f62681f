"""A drawn picture, and random weights with the pair of files that they become: for the tests of training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from train.render import render

SEED = 3
EOS = "</s>"
NEEDED = "needs the extra 'train': pip install '.[train]'"


@cache
def picture(index):
    """A training picture, drawn once."""
    return render(SEED, index, crowded=False)


def pieces(prompts, ids):
    """Tokens as text."""
    return [prompts.tokenizer.text_of(token) for token in ids]


def with_torch(test):
    """Mark it; the fixture `modules` skips it where PyTorch is missing."""
    return pytest.mark.extra(pytest.mark.filterwarnings("ignore")(test))  # PyTorch's own warnings


@dataclass
class Modules:
    """Random weights as float16 can hold them, and the pair of files that they become."""

    torch: Any
    sizes: Any
    encoder: Any
    language: Any
    projector: Any
    text: Path = Path()
    mmproj: Path = Path()

    def parts(self):
        return self.encoder, self.language, self.projector

    def logits(self, embedded, positions, hidden):
        wanted = self.torch.ones(embedded.shape[:2], dtype=bool)
        return self.language(embedded, positions, hidden, wanted).unflatten(0, embedded.shape[:2]).numpy()
