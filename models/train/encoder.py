"""CLIP's ViT in PyTorch, as the GGUF graph computes it, and the heads that teach it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hired_gguf.scenes.words import CHARACTERS
from hired_gguf.synthetic.shapes import VisionShape

from .initial import filters, waves
from .patch_labels import GROUPS
from .sizes import SIDE

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
CLASSES = sum(GROUPS.values())


def attend(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Attention in the type of q; the fused one's backward pass takes several times as long on a CPU."""
    with torch.autocast("cpu", enabled=False):
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if hidden is not None:
            scores = scores + hidden.to(q.dtype)
        return scores.softmax(-1) @ v


def cls_attention(q: Tensor, k: Tensor) -> Tensor:
    """Attention [B, heads, N] of the class token, the first, to the others."""
    with torch.autocast("cpu", enabled=False):
        scores = (q[:, :, :1] * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        return scores.float().softmax(-1)[:, :, 0, 1:]


class Layer(nn.Module):
    """Pre-LayerNorm transformer layer with quick GELU."""

    def __init__(self, shape: VisionShape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.ln1, self.ln2 = nn.LayerNorm(width, shape.eps), nn.LayerNorm(width, shape.eps)
        self.attn_q, self.attn_k, self.attn_v, self.attn_out = (nn.Linear(width, width) for _ in range(4))
        self.ffn_down = nn.Linear(width, shape.feed_forward)  # named as in the files: it widens
        self.ffn_up = nn.Linear(shape.feed_forward, width)

    def split(self, x: Tensor) -> Tensor:
        """[B, N, width] to [B, heads, N, width / heads]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 1 + N, width] to the same, and CLS attention to the patches [B, N], the mean of the heads."""
        y = self.ln1(x)
        q, k, v = self.split(self.attn_q(y)), self.split(self.attn_k(y)), self.split(self.attn_v(y))
        x = x + self.attn_out(attend(q, k, v).transpose(1, 2).flatten(2))
        return x + self.feed(x), cls_attention(q, k).mean(1)

    def feed(self, x: Tensor) -> Tensor:
        """What the feed-forward network adds."""
        y = self.ffn_down(self.ln2(x))
        return self.ffn_up(y * torch.sigmoid(1.702 * y))

    def cls_attention(self, x: Tensor) -> Tensor:
        """Attention [B, heads, N] of the class token to the patches, for the layer's input."""
        y = self.ln1(x)
        return cls_attention(self.split(self.attn_q(y[:, :1])), self.split(self.attn_k(y)))


class Encoder(nn.Module):
    """The tower; ``shape.layers`` are stored and run by LLaVA, one more is trained on top."""

    def __init__(self, shape: VisionShape) -> None:
        super().__init__()
        width = shape.width
        self.class_embd = nn.Parameter(torch.randn(width) * 0.02)
        self.patch_embd = nn.Conv2d(3, width, shape.patch_size, shape.patch_size, bias=False)
        self.patch_embd.weight.data = filters(width, shape.patch_size)
        self.position_embd = nn.Parameter(waves(shape.tokens, width))
        self.pre_ln = nn.LayerNorm(width, shape.eps)
        self.blk = nn.ModuleList(Layer(shape) for _ in range(shape.layers + 1))
        self.used = shape.layers
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def states(self, pixels: Tensor, layers: int | None = None) -> tuple[list[Tensor], list[Tensor]]:
        """Input of the first layer and output of each, [B, 1 + N, width]; CLS attention of each, [B, N].

        Pixels [B, S, S, 3] uint8.
        """
        x = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        x = self.patch_embd(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.class_embd.to(x.dtype).expand(len(x), 1, -1), x), 1) + self.position_embd
        states, attention = [self.pre_ln(x)], []
        for layer in self.blk[:layers]:
            x, of_cls = layer(states[-1])
            states.append(x)
            attention.append(of_cls)
        return states, attention

    def alone(self, patches: Tensor, places: Tensor, layers: int) -> Tensor:
        """Patches [n, patch, patch, 3] uint8 at places [n], no neighbours: [n, width] after some layers."""
        x = (patches.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        x = self.pre_ln(self.patch_embd(x).flatten(1) + self.position_embd[1 + places])
        for layer in self.blk[:layers]:
            x = x + layer.feed(x)
        return x

    def features(self, pixels: Tensor) -> Tensor:
        """[B, N, width], what the projector gets: the last stored layer's patches."""
        return self.states(pixels, self.used)[0][-1][:, 1:]


class Teacher(nn.Module):
    """Heads that are thrown away: what each patch shows."""

    def __init__(self, shape: VisionShape) -> None:
        super().__init__()
        self.norm, self.patch = nn.LayerNorm(shape.width), nn.Linear(shape.width, CLASSES)
        self.character = nn.Linear(shape.width, len(CHARACTERS))
        self.place = nn.Linear(shape.width, 2 * SIDE)

    def patches(self, features: Tensor) -> Tensor:
        """Logits [B, N, CLASSES]."""
        return self.patch(self.norm(features))

    def characters(self, features: Tensor) -> Tensor:
        """Logits [B, N, characters] of those that a patch shows, wherever in a text they stand."""
        return self.character(self.norm(features))

    def places(self, features: Tensor) -> Tensor:
        """Logits [..., 2, SIDE] of a patch's own column and row."""
        return self.place(self.norm(features)).unflatten(-1, (2, SIDE))
