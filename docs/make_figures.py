"""Draw docs/pictures/, as ``hired-gguf explain`` draws them, of two pictures of scikit-image.

    python docs/make_figures.py                       # local contrast stands in for attention
    python docs/make_figures.py MODEL.gguf MMPROJ.gguf

Tiling, allocation, selection and drawing are those of the package in both cases.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from hired_gguf import LLAVA_NEXT_PINPOINTS, LlavaNext, Selection, VisionEncoder, select_tokens
from hired_gguf._core import make_tiling
from hired_gguf.image import load_image
from hired_gguf.preprocess import preprocess

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "pictures"
EXPLAINED: dict[str, tuple[str, str | None]] = {  # a picture of scikit-image, and what to ask about it
    "explain-photo.png": ("astronaut", None),
    "explain-page.png": ("page", None),
}
BUDGET = 0.2


def contrast(pixels: np.ndarray, side: int) -> np.ndarray:
    """[P, 3, S, S] to the standard deviation of every patch [P, 1, N], as attention of a single head."""
    grey = pixels.mean(axis=1)
    partitions, edge = grey.shape[0], grey.shape[1] // side
    patches = grey.reshape(partitions, side, edge, side, edge).transpose(0, 1, 3, 2, 4)
    spread = patches.reshape(partitions, side * side, -1).std(axis=2)
    return (spread / spread.sum(axis=1, keepdims=True))[:, None].astype(np.float32)


def select(photo: Image.Image) -> Selection:
    """What stays of it at LLaVA-Next's tile size, by contrast."""
    size = photo.height, photo.width
    even = make_tiling(size, LLAVA_NEXT_PINPOINTS, 336, 14)
    pixels = preprocess(photo, even, (0.0,) * 3, (1.0,) * 3)
    attention = contrast(pixels, even.side)
    return select_tokens(attention, attention, size, budget=BUDGET)


def explain(name: str, question: str | None, pair: list[Path]) -> Image.Image:
    """The overlay of one of scikit-image's pictures; with a question, the model answers it below."""
    photo = load_image(Image.fromarray(getattr(data, name)()))
    if not pair:
        return select(photo).overlay(photo, caption="Local contrast stands in for attention here.")
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
    """Draw both, by the model that is named if there is one."""
    pair = [Path(path) for path in sys.argv[1:]]
    if len(pair) not in (0, 2):
        raise SystemExit(__doc__)
    for file, (name, question) in EXPLAINED.items():
        save(explain(name, question, pair), file)


if __name__ == "__main__":
    main()
