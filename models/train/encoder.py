"""CLIP's ViT in PyTorch, as the GGUF graph computes it, and the heads that teach it."""

from __future__ import annotations

import torch
from shapes import VisionShape
from torch import Tensor, nn

from hired_gguf.scenes.words import CHARACTERS

from .labels import GROUPS

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
CLASSES = sum(GROUPS.values())


def attend(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Attention in the type of q; the fused one's backward pass takes several times as long on a CPU."""
    with torch.autocast("cpu", enabled=False):
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if hidden is not None:
            scores = scores + hidden.to(q.dtype)
        return scores.softmax(-1) @ v


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

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1 + N, width] to the same."""
        y = self.ln1(x)
        q, k, v = self.split(self.attn_q(y)), self.split(self.attn_k(y)), self.split(self.attn_v(y))
        x = x + self.attn_out(attend(q, k, v).transpose(1, 2).flatten(2))
        return x + self.feed(x)

    def feed(self, x: Tensor) -> Tensor:
        """What the feed-forward network adds."""
        y = self.ffn_down(self.ln2(x))
        return self.ffn_up(y * torch.sigmoid(1.702 * y))

    def cls_attention(self, x: Tensor) -> Tensor:
        """Attention [B, heads, N] of the class token to the patches, for the layer's input."""
        y = self.ln1(x)
        q, k = self.split(self.attn_q(y[:, :1])), self.split(self.attn_k(y))
        return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)[:, :, 0, 1:]


def waves(tokens: int, width: int) -> Tensor:
    """Positions [1 + tokens, width] to begin with: sines and cosines of row and column.

    So neighbours are alike. Small random ones drown in the patches' own values, and what takes two
    patches is not learnt.
    """
    side = round(tokens**0.5)
    angle = torch.arange(side)[:, None] * 3 * 10.0 ** -(torch.arange(width // 4) / (width // 4))
    line = torch.cat((angle.sin(), angle.cos()), 1)
    rows, columns = line.repeat_interleave(side, 0), line.repeat(side, 1)
    return 0.6 * torch.cat((torch.zeros(1, width), torch.cat((rows, columns), 1)))


def filters(width: int, patch: int) -> Tensor:
    """First patch embedding [width, 3, patch, patch]: mostly brightness without its mean, some mean colour.

    The LayerNorm that follows then evens out contrast, whatever the colours. From random filters, which see
    little but the mean colour, no character is learnt in a thousand steps.
    """
    pixels, shades = patch * patch, width * 5 // 6
    mixed = torch.cat((torch.ones(pixels, 1), torch.randn(pixels, shades)), 1)
    shapes = torch.linalg.qr(mixed)[0][:, 1:].T / 3
    colours = torch.randn(width - shades, 3, 1) / (2 * pixels)
    whole = torch.cat((shapes[:, None].expand(-1, 3, -1), colours.expand(-1, -1, pixels)))
    return whole.reshape(width, 3, patch, patch).contiguous()


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

    def states(self, pixels: Tensor, layers: int | None = None) -> list[Tensor]:
        """Input of the first layer and output of each, [B, 1 + N, width]; pixels [B, S, S, 3] uint8."""
        x = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        x = self.patch_embd(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.class_embd.to(x.dtype).expand(len(x), 1, -1), x), 1) + self.position_embd
        states = [self.pre_ln(x)]
        for layer in self.blk[:layers]:
            states.append(layer(states[-1]))
        return states

    def alone(self, patches: Tensor, places: Tensor, layers: int) -> Tensor:
        """Patches [n, patch, patch, 3] uint8 at places [n], no neighbours: [n, width] after some layers."""
        x = (patches.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        x = self.pre_ln(self.patch_embd(x).flatten(1) + self.position_embd[1 + places])
        for layer in self.blk[:layers]:
            x = x + layer.feed(x)
        return x

    def features(self, pixels: Tensor) -> Tensor:
        """[B, N, width], what the projector gets: the last stored layer's patches."""
        return self.states(pixels, self.used)[-1][:, 1:]


class Teacher(nn.Module):
    """Heads that are thrown away: classes of each patch; of the partition, from CLS after every layer."""

    def __init__(self, shape: VisionShape) -> None:
        super().__init__()
        self.norm, self.patch = nn.LayerNorm(shape.width), nn.Linear(shape.width, CLASSES)
        self.character = nn.Linear(shape.width, len(CHARACTERS))
        self.cls_norm = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(shape.layers + 1))
        self.cls = nn.ModuleList(nn.Linear(shape.width, CLASSES) for _ in range(shape.layers + 1))

    def patches(self, features: Tensor) -> Tensor:
        """Logits [B, N, CLASSES]."""
        return self.patch(self.norm(features))

    def characters(self, features: Tensor) -> Tensor:
        """Logits [B, N, characters] of those that a patch shows, wherever in a text they stand."""
        return self.character(self.norm(features))

    def whole(self, states: list[Tensor]) -> list[Tensor]:
        """Logits [B, CLASSES] from CLS after each layer."""
        heads = zip(self.cls, self.cls_norm, states[1:], strict=True)
        return [head(norm(state[:, 0])) for head, norm, state in heads]
