"""Llama in PyTorch as llama.cpp computes it, reading many questions about one picture at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hired_gguf.synthetic.shapes import TextShape

from .encoder import attend
from .sequence import NEWLINE, NO_ROW, Batch


def rope(positions: Tensor, width: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines [..., width / 2] of positions."""
    frequency = base ** (-torch.arange(0, width, 2).float() / width)
    angle = positions[..., None].float() * frequency
    return angle.cos(), angle.sin()


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate neighbouring pairs of x [B, heads, L, width]: llama.cpp's order for this architecture."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Block(nn.Module):
    """RMSNorm, attention, SwiGLU."""

    def __init__(self, shape: TextShape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.attn_norm, self.ffn_norm = (nn.RMSNorm(width, shape.rms_eps) for _ in range(2))
        self.attn_q, self.attn_k, self.attn_v, self.attn_output = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )
        self.ffn_gate, self.ffn_up = (nn.Linear(width, shape.feed_forward, bias=False) for _ in range(2))
        self.ffn_down = nn.Linear(shape.feed_forward, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, hidden: Tensor) -> Tensor:
        """[B, L, width] to the same; `hidden` [B, 1, L, L] is -inf where nothing may be seen."""

        def split(y: Tensor) -> Tensor:
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        y = self.attn_norm(x)
        q, k, v = (
            turn(split(self.attn_q(y)), cos, sin),
            turn(split(self.attn_k(y)), cos, sin),
            split(self.attn_v(y)),
        )
        x = x + self.attn_output(attend(q.to(v.dtype), k.to(v.dtype), v, hidden).transpose(1, 2).flatten(2))
        y = self.ffn_norm(x)
        return x + self.ffn_down(nn.functional.silu(self.ffn_gate(y)) * self.ffn_up(y))


class Language(nn.Module):
    """The text model. Embeddings go in, logits come out."""

    def __init__(self, shape: TextShape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, shape.rms_eps)
        self.output = nn.Linear(shape.width, shape.vocabulary, bias=False)
        for name, p in self.named_parameters():
            if p.ndim > 1:
                std = {
                    "token_embd.weight": 0.7,
                    "output.weight": 0.02,
                }  # a token must not drown in what is added
                nn.init.normal_(p, std=std.get(name, p.shape[-1] ** -0.5))
            if name.endswith(("attn_output.weight", "ffn_down.weight")):
                p.data /= (2 * shape.layers) ** 0.5

    def forward(self, embedded: Tensor, positions: Tensor, hidden: Tensor, wanted: Tensor) -> Tensor:
        """Logits [n, vocabulary] at the `wanted` [B, L] places; embedded [B, L, width], positions [B, L]."""
        cos, sin = rope(positions, self.shape.width // self.shape.heads, self.shape.rope_base)
        x, cos, sin = embedded, cos[:, None], sin[:, None]
        for block in self.blk:
            x = block(x, cos, sin, hidden)
        return self.output(self.output_norm(x[wanted]))


def answer_loss(language: Language, newline: Tensor, rows: Tensor, batch: Batch) -> tuple[Tensor, float]:
    """Cross-entropy of the answers' tokens, and how many of them were right; rows [patches, width]."""
    table = torch.cat((rows, newline[None].to(rows.dtype)))
    at = torch.where(batch.rows == NEWLINE, len(rows), batch.rows.clamp(min=0))
    embedded = torch.where(
        (batch.rows == NO_ROW)[..., None], language.token_embd(batch.ids), table[at].float()
    )
    wanted = batch.targets >= 0
    logits = language(embedded, batch.positions, batch.hidden, wanted).float()
    right = batch.targets[wanted]
    return F.cross_entropy(logits, right), float((logits.argmax(-1) == right).float().mean())
