"""What gives the language model its rows: perfect vision, from labels, or the projector, from features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hired_gguf.scenes.words import CHARACTERS, LONGEST

from .lessons import STARTS
from .patch_labels import UNKNOWN


class Oracle(nn.Module):
    """Perfect vision: a learnt vector for each class, added up.

    A character is the same wherever it stands, and a place whatever stands there: one vector each.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(int(STARTS[-1]), width, mode="sum", padding_idx=0)
        self.spelled = nn.EmbeddingBag(1 + len(CHARACTERS) + LONGEST, width, mode="sum", padding_idx=0)
        nn.init.normal_(self.vectors.weight, std=0.3)
        nn.init.normal_(self.spelled.weight, std=0.6)

    def forward(self, labels: Tensor) -> Tensor:
        """Labels [..., groups] to rows [..., width]; class 0 of a group adds nothing, nor does `UNKNOWN`."""
        labels = torch.where(labels == UNKNOWN, 0, labels).long()
        flat = labels.view(-1, labels.shape[-1])
        text, rest = flat[:, :LONGEST], flat[:, LONGEST:]
        facts = torch.where(rest > 0, rest + torch.as_tensor(STARTS[LONGEST:-1]), 0)
        places = torch.where(text > 0, len(CHARACTERS) + torch.arange(1, LONGEST + 1), 0)
        rows = self.vectors(facts) + self.spelled(torch.cat((text, places), 1))
        return rows.view(*labels.shape[:-1], -1)


class Projector(nn.Module):
    """LLaVA's: two layers with GELU; and the newline row."""

    def __init__(self, inner: int, width: int) -> None:
        super().__init__()
        self.mm_0, self.mm_2 = nn.Linear(inner, width), nn.Linear(width, width)
        self.image_newline = nn.Parameter(torch.randn(width) * 0.5)

    def forward(self, features: Tensor) -> Tensor:
        """[..., inner] to [..., width]."""
        return self.mm_2(F.gelu(self.mm_0(features)))
