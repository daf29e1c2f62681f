"""Draw docs/pictures/: two pictures that the built-in model was not trained on, and what it keeps of them.

python docs/make_figures.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from hired_gguf import LlavaNext, default_model, overlay
from hired_gguf.images.load import load_image
from hired_gguf.scenes import make_scene

OUT = Path(__file__).parent / "pictures"
SEED = 2026
#: A file, the number of a drawn picture, and what to ask about it.
EXPLAINED = (
    ("explain-signs.png", 1, "What code is on the orange badge?"),
    ("explain-slip.png", 22, "What is the price?"),
)
EXAMPLE = "signs.png"  # the first picture itself, for the commands in README


def explain(llm: LlavaNext, picture: Image.Image, question: str) -> Image.Image:
    """The overlay of a picture, with the model's answer below."""
    photo = load_image(picture)
    answer = llm.ask(photo, question)
    (chosen,) = answer.selections
    return overlay(chosen, photo, caption=f"Question: {question}\nAnswer: {answer}")


def save(figure: Image.Image, name: str) -> None:
    """Write a figure, small, and say where."""
    OUT.mkdir(exist_ok=True)
    figure.quantize(192, dither=Image.Dither.FLOYDSTEINBERG).save(OUT / name, optimize=True)
    print(OUT / name)


def main() -> None:
    """Draw all."""
    with LlavaNext(*default_model(), budget=0.2) as llm:
        for i, (file, index, question) in enumerate(EXPLAINED):
            picture = make_scene("held-out", SEED, index).image
            save(explain(llm, picture, question), file)
            if i == 0:
                picture.save(OUT / EXAMPLE, optimize=True)


if __name__ == "__main__":
    main()
