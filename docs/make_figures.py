"""Draw docs/pictures/: two pictures that the built-in model was not trained on, and what it keeps of them.

python docs/make_figures.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from hired_gguf import LlavaNext, Selection, default_model, overlay
from hired_gguf.explain import blocks
from hired_gguf.explain.panels import kept_panels
from hired_gguf.images.load import load_image
from hired_gguf.scenes import make_scene
from hired_gguf.selection.policies import SELECTIONS

OUT = Path(__file__).parent / "pictures"
SEED = 2026
#: A file, the number of a drawn picture, and what to ask about it.
EXPLAINED = (
    ("explain-signs.png", 1, "What code is on the orange badge?"),
    ("explain-slip.png", 22, "What is the price?"),
)
EXAMPLE = "signs.png"  # the first picture itself, for the commands in README
KEPT = "kept.png"  # the first picture beside what stays of it, for the top of README
CHOOSING = "choosing.png"  # the first picture under each selection, for docs/choosing.md
CHOOSING_BUDGET = 0.1
PANEL, SMALL = 400, 260  # pixels of a panel's height


def kept(selection: Selection, picture: Image.Image) -> Image.Image:
    """The picture, and the patches of it that the language model sees, each panel with a line above."""
    full, tiles = selection.counts[0], selection.counts[1:].sum()
    panels = {
        f"{selection.visual_tokens_full} visual tokens": picture,
        f"{full} of the full image stay": kept_panels(selection, picture)[0],
        f"{tiles} of the tiles stay": kept_panels(selection, picture)[1],
    }
    return blocks.framed(blocks.grid([[titled(*panel) for panel in panels.items()]], 24, 0), 12)


def choosing(llm: LlavaNext, picture: Image.Image, question: str) -> Image.Image:
    """What each selection keeps: by the paper's shares, and by one run over all partitions."""
    rows = []
    for name in SELECTIONS:
        row = []
        for allocation in ("hired", "joint"):
            options = {"budget": CHOOSING_BUDGET, "allocation": allocation, "selection": name}
            (selection,) = llm.ask(picture, question, max_tokens=1, **options).selections
            full, tiles = kept_panels(selection, picture)
            counts = selection.counts[0], selection.counts[1:].sum()
            row += [titled(f"{name}, {allocation}: {counts[0]} of the full image", full, SMALL)]
            row += [titled(f"\n{counts[1]} of the tiles", tiles, SMALL)]
        rows.append(row)
    return blocks.framed(blocks.grid(rows, 24, 18), 12)


def titled(title: str, panel: Image.Image, height: int = PANEL) -> Image.Image:
    """A panel in the height that all have, below its title."""
    panel = panel.resize((round(panel.width * height / panel.height), height), Image.Resampling.LANCZOS)
    return blocks.stack([blocks.paragraph(title, panel.width), panel], 6)


def save(figure: Image.Image, name: str) -> None:
    """Write a figure, small, and say where."""
    OUT.mkdir(exist_ok=True)
    figure.quantize(192, dither=Image.Dither.FLOYDSTEINBERG).save(OUT / name, optimize=True)
    print(OUT / name)


def main() -> None:
    """Draw all."""
    with LlavaNext(*default_model(), budget=0.2) as llm:
        for file, index, question in EXPLAINED:
            picture = load_image(make_scene("held-out", SEED, index).image)
            answer = llm.ask(picture, question)
            (chosen,) = answer.selections
            save(overlay(chosen, picture, caption=f"Question: {question}\nAnswer: {answer}"), file)
            if file == EXPLAINED[0][0]:
                picture.save(OUT / EXAMPLE, optimize=True)
                save(kept(chosen, picture), KEPT)
                save(choosing(llm, picture, question), CHOOSING)


if __name__ == "__main__":
    main()
