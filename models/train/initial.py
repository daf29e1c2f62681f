"""What the encoder begins with, where small random values would not do."""

from __future__ import annotations

import torch
from torch import Tensor


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
