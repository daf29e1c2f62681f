"""Draw docs/pictures/.

    python docs/make_figures.py selection [PICTURE]
    python docs/make_figures.py explain [MODEL.gguf MMPROJ.gguf]

selection.png is one photograph, its partitions, and the visual tokens that HiRED keeps. The tiling, the
allocation and the selection are those of the package. The attention is not a model's: local contrast stands
in for it.

explain-photo.png and explain-page.png are drawn as ``hired-gguf explain`` draws them, of a photograph and a
page of scikit-image (``pip install scikit-image``), by the built-in model or the one that is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hired_gguf import LlavaNext, Selection, VisionEncoder, default_model, select_tokens
from hired_gguf.image import load_image
from hired_gguf.preprocess import preprocess

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "tests" / "golden" / "hf_tiny" / "astronaut.png"
OUT = ROOT / "docs" / "pictures"
EXPLAINED: dict[str, tuple[str, str | None]] = {  # a picture of scikit-image, and what to ask about it
    "explain-photo.png": ("astronaut", None),
    "explain-page.png": ("page", None),
}
SIZE = (672, 672)  # pixels of the picture; LLaVA-Next sees it as 2 x 2 tiles
BUDGET = 0.2
PANEL, GAP, HEAD = 480, 32, 64
DIMMED = 0.22
INK, PAPER, LINE = (30, 30, 30), (255, 255, 255), (255, 196, 0)


def contrast(pixels: np.ndarray, side: int) -> np.ndarray:
    """[P, 3, S, S] to the standard deviation of every patch [P, 1, N], as attention of a single head."""
    grey = pixels.mean(axis=1)
    partitions, edge = grey.shape[0], grey.shape[1] // side
    patches = grey.reshape(partitions, side, edge, side, edge).transpose(0, 1, 3, 2, 4)
    spread = patches.reshape(partitions, side * side, -1).std(axis=2)
    return (spread / spread.sum(axis=1, keepdims=True))[:, None].astype(np.float32)


def select(photo: Image.Image) -> tuple[np.ndarray, Selection]:
    """Pixels [P, 3, S, S] in 0..1, and what stays of them."""
    tiling = select_tokens(*[np.ones((5, 1, 576), np.float32)] * 2, SIZE).tiling
    pixels = preprocess(load_image(photo), tiling, (0.0,) * 3, (1.0,) * 3)
    attention = contrast(pixels, tiling.side)
    return pixels, select_tokens(attention, attention, SIZE, budget=BUDGET)


def dimmed(pixels: np.ndarray, mask: np.ndarray, side: int) -> np.ndarray:
    """One partition as RGB, the dropped patches dark."""
    kept = np.kron(mask.reshape(side, side), np.ones((pixels.shape[1] // side,) * 2))
    light = DIMMED + (1 - DIMMED) * kept
    return (pixels.clip(0, 1).transpose(1, 2, 0) * light[:, :, None] * 255).round().astype(np.uint8)


def panel(rgb: np.ndarray) -> Image.Image:
    """An array as a square picture."""
    return Image.fromarray(rgb).resize((PANEL, PANEL), Image.Resampling.LANCZOS)


def draw(photo: Image.Image) -> Image.Image:
    """The figure: the full image on the left, the mosaic of tiles on the right."""
    pixels, chosen = select(photo)
    parts = [dimmed(p, m, chosen.tiling.side) for p, m in zip(pixels, chosen.mask, strict=True)]
    mosaic = np.vstack([np.hstack(parts[1:3]), np.hstack(parts[3:5])])
    figure = Image.new("RGB", (2 * PANEL + GAP, HEAD + PANEL), PAPER)
    figure.paste(panel(parts[0]), (0, HEAD))
    figure.paste(panel(mosaic), (PANEL + GAP, HEAD))
    brush = ImageDraw.Draw(figure)
    title, small = ImageFont.load_default(22), ImageFont.load_default(18)
    full, tiles = chosen.counts[0], chosen.counts[1:]
    brush.text((0, 4), f"Full image: {full} of {chosen.tiling.tokens} stay", INK, title)
    brush.text((PANEL + GAP, 4), f"Four tiles: {sum(tiles)} of {4 * chosen.tiling.tokens} stay", INK, title)
    brush.text((0, 36), f"budget {BUDGET:.0%} = {chosen.visual_tokens} visual tokens", INK, small)
    brush.text((PANEL + GAP, 36), "shared by attention (here local contrast)", INK, small)
    middle = PANEL // 2
    left = PANEL + GAP
    brush.line((left + middle, HEAD, left + middle, HEAD + PANEL), LINE, 3)
    brush.line((left, HEAD + middle, left + PANEL, HEAD + middle), LINE, 3)
    for i, count in enumerate(tiles):
        corner = (left + 8 + i % 2 * middle, HEAD + 8 + i // 2 * middle)
        brush.rectangle((*corner, corner[0] + 42, corner[1] + 26), LINE)
        brush.text((corner[0] + 21, corner[1] + 13), str(count), INK, small, anchor="mm")
    return figure


def explain(name: str, question: str | None, pair: tuple[Path, Path]) -> Image.Image:
    """The overlay of one of scikit-image's pictures; with a question, the model answers it below."""
    from skimage import data  # noqa: PLC0415  the other figure needs none of it

    photo = load_image(Image.fromarray(getattr(data, name)()))
    if question is None:
        with VisionEncoder(pair[1]) as encoder:
            return encoder.encode(photo, features=False).select(BUDGET).overlay()
    with LlavaNext(*pair, budget=BUDGET) as llm:
        answer = llm.ask(photo, question)
        (chosen,) = llm.handler.last_run.selections
    return chosen.overlay(photo, caption=f"Question: {question}\nAnswer: {answer}")


def save(figure: Image.Image, name: str) -> None:
    """Write a figure, small, and say where."""
    OUT.mkdir(exist_ok=True)
    figure.quantize(192, dither=Image.Dither.FLOYDSTEINBERG).save(OUT / name, optimize=True)
    print((OUT / name).relative_to(ROOT))


def main() -> None:
    """Draw what is asked for."""
    match sys.argv[1:]:
        case ["selection", *given]:
            photo = Image.open(given[0] if given else PHOTO).convert("RGB").resize(SIZE[::-1])
            save(draw(photo), "selection.png")
        case ["explain", *given]:
            pair = (Path(given[0]), Path(given[1])) if given else default_model()
            for file, (name, question) in EXPLAINED.items():
                save(explain(name, question, pair), file)
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
