"""From the options of a command to a loaded model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..images.load import load_image
from ..images.sources import MAX_BYTES, LoadedImage
from ..model import LlavaNext
from ..model_files.builtin import default_model
from ..model_files.mmproj import Mmproj, MmprojInfo, read_mmproj
from ..progress import Progress
from ..vision.encoder import VisionEncoder
from .terminal import StatusLine, is_terminal, say
from .usage import UsageError

BUILT_IN = (
    "no model given: using the built-in miniature, which knows only drawn signs, figures and slips of paper. "
    "For photographs give --model TEXT.gguf --mmproj MMPROJ.gguf, or set HIRED_GGUF_MODEL and "
    "HIRED_GGUF_MMPROJ"
)


def load_picture(source: str, args: argparse.Namespace) -> LoadedImage:
    """Decode a file, a URL, or standard input ("-") as the options say. Raises ImageError, UsageError."""
    if source.strip().lower().startswith(("http://", "https://")) and not args.allow_http:
        raise UsageError("the picture is a URL: give --allow-http to let it be fetched")
    if source != "-":
        return LoadedImage(load_image(source, allow_http=args.allow_http, max_pixels=args.max_pixels))
    if sys.stdin is None or is_terminal(sys.stdin):
        raise UsageError(
            "'-' reads a picture from standard input, but standard input is a terminal or closed: "
            "pipe a file into it"
        )
    return LoadedImage(load_image(sys.stdin.buffer.read(MAX_BYTES + 1), max_pixels=args.max_pixels))


def model_pair(args: argparse.Namespace) -> tuple[Path, Path]:
    """The two files; the built-in pair, with a message about it, if neither is given.

    Raises UsageError if only one of the two is given.
    """
    model, mmproj = args.model, args.mmproj
    if model and mmproj:
        return model, mmproj
    if model or mmproj:
        given, missing = ("--model", "--mmproj") if model else ("--mmproj", "--model")
        raise UsageError(f"{given} is given but {missing} is not: a model is two files, give both or neither")
    say(BUILT_IN)
    return default_model()


def vision_file(args: argparse.Namespace) -> Path:
    """The mmproj alone, for what needs no language model; the built-in one if neither file is given.

    Raises UsageError for a language model without a mmproj.
    """
    mmproj: Path = args.mmproj or model_pair(args)[1]
    return mmproj


def load_encoder(args: argparse.Namespace, mmproj: Path, status: StatusLine) -> VisionEncoder:
    """Load the vision encoder as the options say."""
    info = read_mmproj(mmproj)
    tell_of_one_partition(info)
    status.show(f"loading {mmproj.name}")
    return VisionEncoder(
        info,
        n_threads=args.threads,
        device=args.device,
        flash_attention=args.flash_attention,
        max_pixels=args.max_pixels,
        verbose=args.verbose > 0,
    )


def load_model(
    args: argparse.Namespace,
    pair: tuple[Path, Mmproj],
    status: StatusLine,
    on_progress: Progress | None = None,
) -> LlavaNext:
    """Load the two files as the options say. The status line shows progress if ``on_progress`` is None."""
    info = read_mmproj(pair[1])
    tell_of_one_partition(info)
    status.show(f"loading {pair[0].name}")
    return LlavaNext(pair[0], info, on_progress=on_progress or status.progress, **model_options(args))


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments of `LlavaNext` that the options give."""
    return {
        "budget": args.token_budget,
        "template": args.template,
        "allow_http": args.allow_http,
        "max_pixels": args.max_pixels,
        "n_ctx": args.n_ctx,
        "n_gpu_layers": args.gpu_layers,
        "n_threads": args.threads,
        "device": args.device,
        "flash_attention": args.flash_attention,
        "verbose": args.verbose > 0,
    }


def tell_of_one_partition(info: MmprojInfo) -> None:
    """Ollama's file of LLaVA-1.6 looks like one of LLaVA-1.5, and nobody would know why text is not read."""
    if not info.pinpoints:
        say(
            f"{info.path.name} holds no pinpoints, so each picture is seen whole, as one partition of "
            f"{info.tokens} tokens, as in LLaVA-1.5; files of LLaVA-1.6 mostly hold them"
        )
