"""``hired-gguf explain``: which visual tokens a budget keeps of a picture, drawn and in numbers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..console import loading, option_groups, option_types
from ..console.terminal import StatusLine, printable
from ..console.usage import UsageError
from ..explain.comparison import way
from ..explain.counts import count_table
from ..explain.overlay import as_png
from ..explain.report import Explained, draw_all, draw_one, numbers
from ..files import given_path, write_whole
from ..images.data_urls import is_data_url
from ..images.sources import LoadedImage
from ..reporting import Table
from ..selection.budget import TokenBudget
from ..selection.policies import ALLOCATIONS, SELECTIONS
from ..selection.selection import Selection
from ..vision.encoding import EncodedImage

EXAMPLES = """\
examples:
  hired-gguf explain photo.jpg --mmproj mmproj.gguf
  hired-gguf explain photo.jpg --question "What does the sign say?" --model llava.gguf --mmproj mmproj.gguf
  hired-gguf explain photo.jpg --compare hired,official,uniform --out compared.png
  hired-gguf explain photo.jpg --compare cls,cen-div --allocation joint --out compared.png
  hired-gguf explain photo.jpg --json - --budget 640
"""

#: What --compare compares: a name, and what it changes.
WAYS: dict[str, dict[str, Any]] = {
    **{name: {"allocation": name} for name in ALLOCATIONS},
    **{name: {"selection": name} for name in SELECTIONS},
}


def add_parser(commands: option_groups.Commands) -> None:
    """Add the command."""
    parser = option_groups.new_parser(
        commands,
        "explain",
        "draw which parts of a picture a budget keeps, and why",
        "Draw a picture as the model sees it: the partitions, the attention that shared out the budget, the\n"
        "attention that chose the tokens, and the patches that stay. That takes the mmproj alone; with a\n"
        "question the language model answers it too.",
        EXAMPLES,
    )
    add = parser.add_argument
    add("image", metavar="IMAGE", help="a file or URL; - reads the picture from standard input")
    add("--question", metavar="Q", help="also ask this question, and write the answer under the drawing")
    add(
        "--compare",
        type=ways,
        metavar="NAME,...",
        help=f"draw several allocations or selections side by side: two or more of {', '.join(WAYS)}",
    )
    add(
        "--out",
        type=png_file,
        metavar="FILE.png",
        help="file of the drawing, replaced if it exists (default: IMAGE-overlay.png in this folder)",
    )
    add(
        "--json",
        type=option_types.json_target,
        metavar="FILE",
        help="also write the numbers as JSON; - writes them to standard output, without the table",
    )
    option_groups.add_budget_options(parser)
    option_groups.add_answer_options(parser)
    option_groups.add_model_options(parser)
    parser.set_defaults(run=run)


def ways(text: str) -> list[str]:
    """Two or more allocations or selections with commas between them."""
    names = [name.strip() for name in text.split(",")]
    if len(names) < 2 or len(set(names)) < len(names) or not set(names) <= set(WAYS):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not two or more of {', '.join(WAYS)}, with commas between them"
        )
    return names


def png_file(text: str) -> Path:
    """A .png file that can be written."""
    path = option_types.new_file(text)
    if path.suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .png")
    return path


def run(args: argparse.Namespace) -> int:
    """Encode or ask, then draw and report."""
    out = args.out or default_name(args.image)
    for path in (out, args.json):
        if path not in (None, "-") and same_file(path, args.image):
            raise UsageError(f"{str(path)!r} is the picture itself: name another file")
    if out == args.json:
        raise UsageError(f"{str(out)!r} is named for the drawing and for the numbers")
    picture = loading.load_picture(args.image, args)
    wanted = budgets(args)
    with StatusLine() as status:
        if args.question is None:
            mmproj = loading.vision_file(args)
            files = {"model": None, "mmproj": str(mmproj)}
            found = select(args, mmproj, picture, wanted, status)
        else:
            pair = loading.model_pair(args)
            files = {"model": str(pair[0]), "mmproj": str(pair[1])}
            found = ask(args, pair, picture, wanted, status)
    draw = draw_all if args.compare else draw_one
    drawing = draw(args.question, found, picture)
    out.write_bytes(as_png(drawing))
    report = {"image": args.image, **files, "overlay": str(out), **numbers(args.question, found)}
    if args.json not in (None, "-"):
        write_whole(args.json, json.dumps(report) + "\n")
    print(json.dumps(report) if args.json == "-" else "\n".join(describe(out, found)))
    return 0


def budgets(args: argparse.Namespace) -> list[TokenBudget]:
    """What is drawn. Raises UsageError for a selection that goes by a question, without one."""
    budget = args.token_budget
    wanted = [budget.changed(**WAYS[name]) for name in args.compare] if args.compare else [budget]
    for name in (each.selection for each in wanted):
        if args.question is None and "question" in SELECTIONS[name].needs:
            raise UsageError(f"selection {name} goes by what is asked: give --question")
    return wanted


def default_name(image: str) -> Path:
    """photo-overlay.png for pictures/photo.jpg; overlay.png for what has no name."""
    nameless = image == "-" or is_data_url(image) or "://" in image.strip()[:8]
    path = None if nameless else Path(given_path(image))
    return Path(f"{path.stem}-overlay.png" if path else "overlay.png")


def same_file(path: Path, image: str) -> bool:
    """Whether both name one file that is there."""
    try:
        return path.samefile(given_path(image))
    except (OSError, ValueError):
        return False


def select(
    args: argparse.Namespace,
    mmproj: Path,
    picture: LoadedImage,
    wanted: list[TokenBudget],
    status: StatusLine,
) -> list[Explained]:
    """Encode once, select for each budget."""
    with loading.load_encoder(args, mmproj, status) as encoder:
        status.show("encoding the picture")
        encoding = encoder.encode(picture, features=False)
    return [Explained(encoding.select_with(budget)) for budget in wanted]


def ask(
    args: argparse.Namespace,
    pair: tuple[Path, Path],
    picture: LoadedImage,
    wanted: list[TokenBudget],
    status: StatusLine,
) -> list[Explained]:
    """Ask once for each budget; the picture is encoded the first time."""
    found = []
    with loading.load_model(args, pair, status) as llm:
        for budget in wanted:
            status.show(f"asking with {budget.allocation}, {budget.selection}")
            options = option_groups.answer_options(args)
            answer = llm.ask(picture, args.question, budget=budget, selector=choose, **options)
            found.append(Explained(answer.selections[0], answer.text))
    return found


def choose(image: EncodedImage, budget: TokenBudget) -> Selection:
    """Select as usual, of an image that is encoded as a whole: tiles without a share are drawn, too."""
    return image.select_with(budget)


def describe(out: Path, found: list[Explained]) -> list[str]:
    """The counts for people."""
    lines = []
    for each in found:
        chosen = each.selection
        kept = f"{chosen.visual_tokens} of {chosen.visual_tokens_full} visual tokens"
        header, *rows = count_table(chosen)
        lines += [Table(f"{way(chosen)}: {kept}", header, tuple(rows)).as_text()]
        if each.answer is not None:
            lines.append(f"  answer: {printable(each.answer)}")
        lines.append("")
    return [*lines, f"drawn in {printable(str(out))}"]
