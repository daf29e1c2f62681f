"""What people have under a model's name that is no GGUF file: told from its first bytes and its name.

A wrong or unfinished download is far more often than a damaged file, and each kind has its own remedy.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import short

START: Final = 1024  # bytes that are looked at
AGAIN: Final = "download the file again"
CONVERT: Final = "download a GGUF of the model, or make one with llama.cpp's convert_hf_to_gguf.py"
UNPACK: Final = "unpack it and give the .gguf file in it"
OLD: Final = "llama.cpp reads it no more; download the model as GGUF"
ITSELF: Final = "download the file itself: on Hugging Face its link has /resolve/, not /blob/"
LOG_IN: Final = "log in where the model is offered, accept its terms and download again"
OTHERWISE: Final = "give it where pictures are given, and the model here"


class Kind(NamedTuple):
    """Bytes at a place, what a file is that has them there, and what to do."""

    magic: bytes
    what: str
    remedy: str
    offset: int = 0


KINDS: Final = (
    Kind(b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, which only stands for the file",
         "run `git lfs pull` in its clone, or download the file itself"),
    Kind(b"# xet version", "a pointer of Xet, which only stands for the file", "download the file itself"),
    Kind(b"/annex/objects/", "a pointer of git-annex, which only stands for the file", "run `git annex get`"),
    Kind(b"PK\x05\x06", "an empty zip archive", AGAIN),
    Kind(b"\x1f\x8b", "compressed by gzip", UNPACK),
    Kind(b"BZh", "compressed by bzip2", UNPACK),
    Kind(b"\xfd7zXZ\0", "compressed by xz", UNPACK),
    Kind(b"\x28\xb5\x2f\xfd", "compressed by zstd", UNPACK),
    Kind(b"\x04\x22\x4d\x18", "compressed by lz4", UNPACK),
    Kind(b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    Kind(b"Rar!\x1a\x07", "a rar archive", UNPACK),
    Kind(b"ustar", "a tar archive", UNPACK, 257),
    Kind(b"tjgg", "a model in GGJT, a format before GGUF", OLD),
    Kind(b"fmgg", "a model in GGMF, a format before GGUF", OLD),
    Kind(b"lmgg", "a model in GGML's first format", OLD),
    Kind(b"algg", "a LoRA adapter of the time before GGUF", OLD),
    Kind(b"\x93NUMPY", "an array of NumPy (.npy)", CONVERT),
    Kind(b"\x89HDF\r\n", "HDF5, as Keras writes it", CONVERT),
    Kind(b"TFL3", "a model of TensorFlow Lite", CONVERT, 4),
    Kind(b"MZqFpD", "a llamafile, a program that holds models", "unzip the .gguf files out of it"),
    Kind(b"MZ", "a program for Windows", AGAIN),
    Kind(b"\x7fELF", "a program for Linux", AGAIN),
    Kind(b"%PDF-", "a PDF document", AGAIN),
    Kind(b"\x89PNG", "a PNG picture", OTHERWISE),
    Kind(b"\xff\xd8\xff", "a JPEG picture", OTHERWISE),
    Kind(b"d8:announce", "a torrent", "open it with a program for torrents"),
)  # fmt: skip
#: How texts start, without blanks and in small letters.
TEXTS: Final = (
    ("<", "a page in HTML or XML, saved in the file's place", ITSELF),
    ('{"schemaversion"', "a manifest of Ollama",
     "give the files in Ollama's folder blobs that it names as model and projector"),
    ("{", "a text in JSON, such as a server answers when it has no file to give", AGAIN),
    ("[internetshortcut]", "a shortcut to a page", ITSELF),
    ("accessto", "a server's refusal", LOG_IN),
    ("invalid", "a server's refusal", LOG_IN),
    ("unauthorized", "a server's refusal", LOG_IN),
)  # fmt: skip
UNFINISHED: Final = (".part", ".partial", ".crdownload", ".download", ".incomplete", ".aria2", ".tmp", ".!qb")
PIECE: Final = re.compile(
    r"([-.]split-?[a-z]+|\.part-?\d+(of\d+)?|\.gguf[-.][a-z]{1,2}|\.\d{3})$", re.IGNORECASE
)
PIECES: Final = "join all pieces in order (cat FIRST SECOND > WHOLE.gguf)"


def describe(start: bytes, size: int, path: Path) -> str:
    """What a file of ``size`` bytes is that starts so, and what would serve; a clause for an error."""
    known = _by_bytes(start, size, path) or _by_text(start)
    if known is None and PIECE.search(path.name):
        known = "a later piece of a file that was cut up", PIECES
    if known is None:
        return f"the magic is {start[:4]!r}, not b'GGUF': this is no GGUF file. {AGAIN.capitalize()}"
    return f"this is no GGUF file but {known[0]} ({size} bytes): {known[1]}"


def unfinished(path: Path) -> str:
    """What to do about a file that ends too soon; a program that still fetches it leaves a trace."""
    if path.name.lower().endswith(UNFINISHED):
        return "its name is that of an unfinished download: let it end"
    for suffix in UNFINISHED:
        if (trace := path.with_name(path.name + suffix)).exists():
            return f"{trace.name} lies beside it, so its download has not ended"
    if PIECE.search(path.name):
        return f"its name is that of a piece: {PIECES}"
    return "download it again"


def no_file(path: Path) -> str:
    """What is there instead; of a folder, what in it may be meant."""
    if not path.is_dir():
        return "not a regular file"
    names = sorted(found.name for found in islice(path.glob("*.gguf"), 1000))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"not a regular file but a folder, with {', '.join(names[:3]) or 'no .gguf file'}{more} in it"


def _by_bytes(start: bytes, size: int, path: Path) -> tuple[str, str] | None:
    if not start.strip(b"\0"):
        return "zeros, room that a download has not filled", unfinished(path)
    if start.startswith(b"PK\x03\x04"):
        return _zip(start)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < size:
        return "weights in safetensors", CONVERT
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle, as PyTorch's .bin and .pt were", CONVERT
    found = (kind for kind in KINDS if start[kind.offset :].startswith(kind.magic))
    return next(((kind.what, kind.remedy) for kind in found), None)


def _zip(start: bytes) -> tuple[str, str]:
    first = start[30 : 30 + int.from_bytes(start[26:28], "little")]
    if first.endswith(b".npy"):
        return "arrays of NumPy (.npz)", CONVERT
    if first.endswith((b"/data.pkl", b"/.format_version", b"/byteorder")):
        return "a checkpoint of PyTorch", CONVERT
    return "a zip archive", UNPACK


def _by_text(start: bytes) -> tuple[str, str] | None:
    utf_16 = start[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = start.decode("utf-16" if utf_16 else "utf-8-sig", "ignore").strip()
    packed = "".join(text.split()).lower()
    for begin, what, remedy in TEXTS:
        if packed.startswith(begin):
            return what, remedy
    if len(packed) > 3 and packed.isprintable() and (utf_16 or len(text.encode()) > len(start) // 2):
        return f"a text that begins {short(text.splitlines()[0])!r}", AGAIN
    return None
