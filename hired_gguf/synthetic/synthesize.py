"""Write a LLaVA pair of GGUF files with random weights: real shapes and real speed, meaningless answers.

    python -m hired_gguf.synthetic.synthesize --shape tiny --out /tmp/tiny
    python -m hired_gguf.synthetic.synthesize --shape llava-next-7b --quant q4_0 --out /tmp/llava    # 4.5 GB

The same seed gives the same bytes. Text is tokenised as usual (about a token a word), attention is peaked,
and greedy decoding gives a varied stream of words that depends on the image and never ends by itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from gguf import GGMLQuantizationType, GGUFWriter

from .chat_templates import CHAT_TEMPLATES
from .metadata import FILE_TYPES, add_general, add_mmproj, add_text
from .random_gguf import write_gguf
from .shapes import SHAPES
from .tensors import mmproj_tensors, text_tensors
from .vocabulary import build_vocabulary

Progress = Callable[[str, float], None]


def synthesize(
    shape: str,
    out_dir: str | Path,
    quant: str = "f32",
    seed: int = 0,
    chat_template: str | None = None,
    *,
    progress: Progress | None = None,
    mmproj_quant: str | None = None,
) -> tuple[Path, Path]:
    """Write `text-SHAPE-QUANT.gguf` and `mmproj-SHAPE-QUANT.gguf` into `out_dir` and return their paths.

    `shape` is a name in `SHAPES`, `chat_template` one in `CHAT_TEMPLATES` or None. The mmproj is F16 where
    the text model is quantised, as published pairs are, unless `mmproj_quant` says otherwise.
    """
    mmproj_quant = mmproj_quant or ("f16" if quant.startswith("q") else quant)
    for what, given, known in (
        ("shape", shape, SHAPES),
        ("quant", quant, FILE_TYPES),
        ("mmproj_quant", mmproj_quant, FILE_TYPES),
        ("chat_template", chat_template or "vicuna", CHAT_TEMPLATES),
    ):
        if given not in known:
            raise ValueError(f"[synthesize] {what} {given!r} is none of {', '.join(known)}")
    out, model, template = Path(out_dir), SHAPES[shape], CHAT_TEMPLATES.get(chat_template or "")
    out.mkdir(parents=True, exist_ok=True)
    text, mmproj = out / f"text-{shape}-{quant}.gguf", out / f"mmproj-{shape}-{mmproj_quant}.gguf"

    def text_metadata(writer: GGUFWriter) -> None:
        add_general(writer, f"{shape} text model", quant)
        add_text(writer, model.text, build_vocabulary(model.text.vocabulary), template)

    def mmproj_metadata(writer: GGUFWriter) -> None:
        add_general(writer, f"{shape} mmproj", mmproj_quant)
        add_mmproj(writer, model)

    text_type, mmproj_type = GGMLQuantizationType[quant.upper()], GGMLQuantizationType[mmproj_quant.upper()]
    text_list, mmproj_list = list(text_tensors(model.text)), list(mmproj_tensors(model))
    write_gguf(text, "llama", text_metadata, text_list, quant=text_type, seed=seed, progress=progress)
    write_gguf(mmproj, "clip", mmproj_metadata, mmproj_list, quant=mmproj_type, seed=seed, progress=progress)
    return text, mmproj


def show_progress(name: str, fraction: float) -> None:
    """Keep one line a file on stderr, and only the finished one where nobody watches."""
    if fraction == 1 or sys.stderr.isatty():
        print(f"\r{name} {fraction:4.0%}", end="\n" if fraction == 1 else "", file=sys.stderr, flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, required=True, help="which model's sizes to copy")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the two files")
    parser.add_argument("--quant", choices=FILE_TYPES, default="f32", help="of the text model (default: f32)")
    parser.add_argument(
        "--mmproj-quant", choices=FILE_TYPES, help="default: as --quant, but f16 for q8_0, q4_0"
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default: 0)")
    parser.add_argument(
        "--chat-template",
        choices=[*CHAT_TEMPLATES, "none"],
        default="none",
        help="write this tokenizer.chat_template (default: none)",
    )
    args = parser.parse_args()
    template = None if args.chat_template == "none" else args.chat_template
    for path in synthesize(
        args.shape,
        args.out,
        args.quant,
        args.seed,
        template,
        progress=show_progress,
        mmproj_quant=args.mmproj_quant,
    ):
        print(path)


if __name__ == "__main__":
    main()
