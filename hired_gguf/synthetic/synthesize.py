"""Writes a LLaVA pair of GGUF files with random weights: real shapes and real speed, meaningless answers.

The same seed gives the same bytes. Text is tokenised as usual (about a token a word), attention is peaked,
and greedy decoding gives a varied stream of words that depends on the image and never ends by itself.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gguf import GGUFWriter

from ..errors import InputError
from ..progress import Progress
from .chat_templates import CHAT_TEMPLATES
from .metadata import FILE_TYPES, add_general, add_mmproj, add_text
from .pair_files import ggml_type, pair_bytes, pair_paths, usual_mmproj_quant
from .random_gguf import write_gguf
from .shapes import SHAPES, Shape, shape_of
from .tensors import mmproj_tensors, text_tensors
from .vocabulary import build_vocabulary

EXAMPLES = """\
examples:
  python -m hired_gguf.synthetic.synthesize --shape tiny --out /tmp/tiny
  python -m hired_gguf.synthetic.synthesize --shape llava-next-7b --quant q4_0 --out /tmp/llava

The two files, text-SHAPE-QUANT.gguf and mmproj-SHAPE-QUANT.gguf, appear whole or not at all; their paths are
printed. Megabytes of a pair (beside q8_0 and q4_0, the mmproj is f16):
"""


def synthesize(
    shape: str,
    folder: str | os.PathLike[str],
    quant: str = "f32",
    seed: int = 0,
    chat_template: str | None = None,
    *,
    mmproj_quant: str | None = None,
    layers: int | None = None,
    on_progress: Progress | None = None,
) -> tuple[Path, Path]:
    """Write a text model and its mmproj into ``folder``, which is made if missing, and return the two paths.

    ``shape`` is a name in `SHAPES`, ``quant`` one in `FILE_TYPES`, ``chat_template`` one in `CHAT_TEMPLATES`,
    or None for a file without. ``mmproj_quant`` is `usual_mmproj_quant` unless given. ``layers`` cuts the
    text model, see `shape_of`. ``on_progress`` hears a file's name, values written and their number. Raises
    InputError for another name, OSError.
    """
    mmproj_quant = mmproj_quant or usual_mmproj_quant(quant)
    model = shape_of(shape, layers)
    _check_names(quant, mmproj_quant, chat_template)
    text, mmproj = pair_paths(shape, folder, quant, mmproj_quant, layers)
    text.parent.mkdir(parents=True, exist_ok=True)
    write_text_model(
        text, shape, model, quant, seed=seed, chat_template=chat_template, on_progress=on_progress
    )
    write_mmproj(mmproj, shape, model, mmproj_quant, seed=seed, on_progress=on_progress)
    return text, mmproj


def write_text_model(
    path: Path,
    name: str,
    shape: Shape,
    quant: str,
    *,
    seed: int = 0,
    chat_template: str | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Write the text model of a pair. ``name`` is the shape's. Raises OSError."""

    def metadata(writer: GGUFWriter) -> None:
        add_general(writer, f"{name} text model", quant)
        template = CHAT_TEMPLATES.get(chat_template or "")
        add_text(writer, shape.text, build_vocabulary(shape.text.vocabulary), template)

    tensors, kind = list(text_tensors(shape.text)), ggml_type(quant)
    write_gguf(path, "llama", metadata, tensors, quant=kind, seed=seed, on_progress=on_progress)


def write_mmproj(
    path: Path,
    name: str,
    shape: Shape,
    quant: str,
    *,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> None:
    """Write the mmproj of a pair. ``name`` is the shape's. Raises OSError."""

    def metadata(writer: GGUFWriter) -> None:
        add_general(writer, f"{name} mmproj", quant)
        add_mmproj(writer, shape)

    tensors, kind = list(mmproj_tensors(shape)), ggml_type(quant)
    write_gguf(path, "clip", metadata, tensors, quant=kind, seed=seed, on_progress=on_progress)


def _check_names(quant: str, mmproj_quant: str, chat_template: str | None) -> None:
    for what, given, known in (
        ("quant", quant, FILE_TYPES),
        ("mmproj_quant", mmproj_quant, FILE_TYPES),
        ("chat_template", chat_template or "vicuna", CHAT_TEMPLATES),
    ):
        if given not in known:
            raise InputError(f"{what} is {given!r}; allowed: {', '.join(known)}")


def build_parser() -> argparse.ArgumentParser:
    """The command line of this module."""
    parser = argparse.ArgumentParser(
        prog="python -m hired_gguf.synthetic.synthesize",
        description=__doc__,
        epilog=EXAMPLES + _sizes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--shape", choices=SHAPES, required=True, help="whose sizes to copy; tiny and small are for tests")
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the two files; made if missing")
    add("--quant", choices=FILE_TYPES, default="f32", help="type of the text model's matrices (default: f32)")
    add(
        "--mmproj-quant",
        choices=FILE_TYPES,
        help="type of the mmproj's matrices (default: as --quant; f16 for q8_0, q4_0)",
    )
    add("--layers", type=int, metavar="N", help="layers of the text model (default: the shape's)")
    add("--seed", type=int, default=0, help="another seed, other weights (default: 0)")
    add(
        "--chat-template",
        choices=[*CHAT_TEMPLATES, "none"],
        default="none",
        help="tokenizer.chat_template of the text model (default: none)",
    )
    return parser


def _sizes() -> str:
    """A table in megabytes: a line a shape, a column a type."""
    rows = [("", *FILE_TYPES)]
    rows += [(name, *(f"{pair_bytes(name, q) / 1e6:,.1f}" for q in FILE_TYPES)) for name in SHAPES]
    return "\n".join(f"  {name:13}" + "".join(f"{cell:>10}" for cell in cells) for name, *cells in rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line: print the two paths, or one line of error and exit with 1."""
    parser = build_parser()
    args = parser.parse_args(argv)
    template = None if args.chat_template == "none" else args.chat_template
    try:
        pair = synthesize(
            args.shape,
            args.out,
            args.quant,
            args.seed,
            template,
            mmproj_quant=args.mmproj_quant,
            layers=args.layers,
            on_progress=show_progress,
        )
    except InputError as error:
        parser.error(str(error))
    except OSError as error:
        parser.exit(1, f"error: cannot write to {args.out}: {error}\n")
    print(*pair, sep="\n")


def show_progress(name: str, done: int, total: int) -> None:
    """Keep one line a file on stderr, and only the finished one where nobody watches."""
    watched = sys.stderr.isatty()
    if watched or done == total:
        start, end = "\r" if watched else "", "\n" if done == total else ""
        print(f"{start}{name} {done / total:4.0%}", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
