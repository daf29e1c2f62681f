"""Shapes of the LLaVA models that `synthesize` can write."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..errors import InputError

GRIDS = ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))  # LLaVA-Next's five, in tiles (height, width)


@dataclass(frozen=True)
class TextShape:
    """A Llama text model."""

    width: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    context: int = 4096
    rms_eps: float = 1e-5
    rope_base: float = 10000.0


@dataclass(frozen=True)
class VisionShape:
    """A CLIP ViT as a LLaVA mmproj stores it: ``layers`` leaves out the last one, which LLaVA never runs."""

    image_size: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    projection_dim: int
    patch_size: int = 14
    eps: float = 1e-5

    @property
    def tokens(self) -> int:
        """Patches of one partition, CLS not counted."""
        return (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True)
class Shape:
    """A LLaVA pair; ``anyres`` is what makes it a LLaVA-Next (tiles and a newline vector)."""

    text: TextShape
    vision: VisionShape
    anyres: bool = True

    @property
    def pinpoints(self) -> list[int]:
        """Flat (height, width) pairs in pixels, as the GGUF key holds them."""
        return [side * self.vision.image_size for grid in GRIDS for side in grid]


VICUNA_7B = TextShape(width=4096, layers=32, heads=32, feed_forward=11008, vocabulary=32000)
CLIP_L_336 = VisionShape(
    image_size=336, width=1024, layers=23, heads=16, feed_forward=4096, projection_dim=768
)

SHAPES = {
    "tiny": Shape(
        TextShape(width=128, layers=2, heads=4, feed_forward=256, vocabulary=512),
        VisionShape(image_size=56, width=128, layers=3, heads=4, feed_forward=256, projection_dim=32),
    ),
    "small": Shape(
        TextShape(width=512, layers=8, heads=8, feed_forward=1376, vocabulary=4096),
        VisionShape(image_size=112, width=256, layers=7, heads=4, feed_forward=1024, projection_dim=128),
    ),
    "llava-1.5-7b": Shape(VICUNA_7B, CLIP_L_336, anyres=False),
    "llava-next-7b": Shape(VICUNA_7B, CLIP_L_336),
}


def shape_of(name: str, layers: int | None = None) -> Shape:
    """A shape of `SHAPES`; with ``layers``, its text model has only so many, each of full width.

    Raises InputError for another name, or more layers than the shape has.
    """
    if name not in SHAPES:
        raise InputError(f"shape is {name!r}; allowed: {', '.join(SHAPES)}")
    shape = SHAPES[name]
    if layers is None:
        return shape
    if not 1 <= layers <= shape.text.layers:
        raise InputError(f"layers is {layers}; {name} allows 1 to {shape.text.layers}")
    return replace(shape, text=replace(shape.text, layers=layers))
