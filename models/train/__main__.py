"""Train the built-in model from nothing: draws its pictures, runs all stages, exports the pair.

Interrupt it at any time; the same command goes on from the last checkpoint. Same seed, same pictures and
questions; on another machine or with another number of threads the weights differ in rounding.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from . import question_vocabulary, workers
from .alphabet import pages
from .cls_recall import report
from .export import export
from .prompts import Prompts
from .render import load, render_all
from .schedule import Plan, smoke
from .sizes import shape
from .stage_encoder import train_encoder
from .stage_language import Trainer


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="pictures (6 GB), checkpoints, pair"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, help="default: PyTorch's own choice")
    parser.add_argument("--smoke", action="store_true", help="a few steps of each stage: two minutes")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    plan = Plan(seed=args.seed)
    train(smoke(plan) if args.smoke else plan, args.out)


def train(plan: Plan, folder: Path) -> None:
    """All stages, and the pair in the end."""
    workers.join()
    folder.mkdir(parents=True, exist_ok=True)
    if workers.number() > 0:
        workers.wait()  # the first one draws
    crowded = render_all(folder / "crowded", plan.crowded, 2 * plan.seed, crowded=True)
    plain = render_all(folder / "plain", plan.plain, 2 * plan.seed + 1, crowded=False)
    texts, prompts = pages(folder / "pages.pickle", plan.seed, plan.pages), Prompts(folder)
    if workers.number() == 0:
        workers.wait()
    dense, pictures = load(crowded), load(plain)
    encoder, teacher = train_encoder(plan, dense, pictures, texts, folder / "encoder.pt")
    del texts
    report(encoder, pictures[:200])
    sizes = shape(len(question_vocabulary.build().tokens))
    trainer = Trainer(plan, sizes, prompts, crowded=dense, pictures=pictures, folder=folder)
    trainer.encoder, trainer.teacher = encoder, teacher
    trainer.run("words", plan.words, ("language", "oracle", "projector"))
    trainer.run("align", plan.align, ("projector",))
    trainer.run("tiles", plan.tiles, ("language", "projector"))
    trainer.run("together", plan.together, ("encoder", "teacher", "language", "projector"))
    trainer.run("images", plan.images, ("language", "projector"))
    report(trainer.encoder, pictures[:200])
    if workers.number() > 0:
        return
    pair = export(sizes, trainer.language, trainer.encoder, trainer.projector, folder)
    for path in pair:
        print(path)


if __name__ == "__main__":
    main()
