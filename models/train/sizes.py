"""Sizes of the model."""

from __future__ import annotations

from hired_gguf.synthetic.shapes import Shape, TextShape, VisionShape

PATCH, TILE = 14, 168
SIDE = TILE // PATCH  # patches along a tile's edge
TOKENS = SIDE * SIDE
WIDTH = 192  # of the language model

#: `layers` leaves out the last one: it is trained, and dropped in the file, as LLaVA never runs it.
VISION = VisionShape(image_size=TILE, width=192, layers=6, heads=6, feed_forward=768, projection_dim=192)


def shape(vocabulary: int) -> Shape:
    """The pair's sizes."""
    text = TextShape(width=WIDTH, layers=4, heads=6, feed_forward=512, vocabulary=vocabulary, context=4096)
    return Shape(text, VISION)
