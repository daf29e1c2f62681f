"""A drawn picture, what is in it, and what can be asked about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the picture


@dataclass(frozen=True)
class Item:
    """A thing in a scene: a plate with text, a figure without, or a line on a slip of paper.

    ``shape`` is one of `words.SHAPES`, or ``"slip"`` with the ``field`` that the line gives the value of.
    ``characters`` are the text's with their boxes; ``label`` is the box of the field's own name.
    """

    shape: str
    colour: str
    box: Box
    text: str = ""
    kind: str = ""  # of the text: number, code, word, or what `words.FIELDS` says
    field: str = ""
    characters: tuple[tuple[str, Box], ...] = ()
    label: Box | None = None

    @property
    def name(self) -> str:
        """How a question speaks of it."""
        return self.field if self.field else f"{self.colour} {self.shape}"

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


@dataclass(frozen=True)
class Question:
    """``kind`` is read, value, count, colour, yes-no or position."""

    kind: str
    text: str
    answer: str


@dataclass(frozen=True)
class Scene:
    """An RGB picture and its items."""

    image: Image.Image
    items: tuple[Item, ...] = field(default_factory=tuple)

    def of(self, *shapes: str) -> list[Item]:
        """The items of these shapes."""
        return [item for item in self.items if item.shape in shapes]
