"""What lies under a model's name that is no GGUF file, as bytes, with a word that its refusal must say."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile

import numpy as np
from gguf_forge import good_mmproj


def _zip(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * 200)
    return buffer.getvalue()


def _tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("model.gguf")
        member.size = 100
        archive.addfile(member, io.BytesIO(b"x" * 100))
    return buffer.getvalue()


def _saved(save, *things):
    buffer = io.BytesIO()
    save(buffer, *things)
    return buffer.getvalue()


GGUF = good_mmproj().header()
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a" * 16 + b"\nsize 4081004224\n"
HTML = b"<!doctype html>\n<html class=''><head><title>mmproj.gguf - Hugging Face</title></head></html>"
MANIFEST = {"schemaVersion": 2, "layers": [{"mediaType": "application/vnd.ollama.image.projector"}]}
TENSORS = json.dumps({"x": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}).encode()

WRONG = {
    "LFS pointer": (LFS, "git lfs pull"),
    "annex pointer": (b"/annex/objects/SHA256E-s1--" + b"a" * 64 + b".gguf\n", "git annex get"),
    "Xet pointer": (b'# xet version 0\nfilesize = 1\nhash = "a"\n', "Xet"),
    "HTML": (HTML, "/resolve/"),
    "HTML with a blank and a BOM": (b"\xef\xbb\xbf\n  <HTML><body>Sign in</body></HTML>", "HTML"),
    "HTML in UTF-16": ("<html>log in</html>".encode("utf-16"), "HTML"),
    "XML error": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "HTML or XML"),
    "JSON error": (b'{"error":"Repository not found"}', "JSON"),
    "Ollama manifest": (json.dumps(MANIFEST).encode(), "blobs"),
    "refusal": (b"Access to model x is restricted. You must be authenticated to access it.", "log in"),
    "refusal of a password": (b"Invalid username or password.", "log in"),
    "text": (b"Entry not found", "'Entry not found'"),
    "text in Chinese": ("文件不存在".encode(), "a text that begins"),
    "shortcut": (b"[InternetShortcut]\r\nURL=https://example.org/\r\n", "shortcut"),
    "zip": (_zip("model.gguf"), "zip archive"),
    "empty zip": (_zip(), "empty zip"),
    "PyTorch zip": (_zip("archive/data.pkl", "archive/version"), "PyTorch"),
    "PyTorch pickle": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "pickle"),
    "npz": (_saved(lambda file, a: np.savez(file, a=a), np.zeros(9)), "npz"),
    "npy": (_saved(np.save, np.zeros(9)), ".npy"),
    "safetensors": (struct.pack("<Q", len(TENSORS)) + TENSORS + bytes(4), "safetensors"),
    "gzip": (gzip.compress(GGUF), "gzip"),
    "bzip2": (bz2.compress(GGUF), "bzip2"),
    "xz": (lzma.compress(GGUF), "xz"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(range(99)), "zstd"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(range(99)), "7z"),
    "rar": (b"Rar!\x1a\x07\x01\x00" + bytes(range(99)), "rar"),
    "tar": (_tar(), "tar archive"),
    "GGJT": (b"tjgg" + struct.pack("<8I", 3, 32000, 4096, 256, 32, 32, 128, 2), "GGJT"),
    "GGML": (b"lmgg" + bytes(range(99)), "GGML"),
    "GGMF": (b"fmgg" + bytes(range(99)), "GGMF"),
    "LoRA before GGUF": (b"algg" + bytes(range(99)), "LoRA"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(range(99)), "HDF5"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(range(99)), "TensorFlow"),
    "llamafile": (b"MZqFpD='\n" + bytes(range(99)), "llamafile"),
    "program": (b"\x7fELF\x02\x01\x01" + bytes(range(99)), "program"),
    "PDF": (b"%PDF-1.7\n" + bytes(range(99)), "PDF"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(range(99)), "pictures are given"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(range(99)), "pictures are given"),
    "torrent": (b"d8:announce35:udp://tracker.example.org:6969/4:infod", "torrent"),
    "zeros": (bytes(5000), "zeros"),
    "empty": (b"", "empty"),
    "two bytes": (b"GG", "no GGUF file"),
    "noise": (bytes(range(200, 256)) * 9, "no GGUF file"),
    "GGUF 1": (struct.pack("<4sIII", b"GGUF", 1, 0, 0), "version is 1"),
    "GGUF of a big-endian machine": (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "big-endian"),
    "cut in its header": (GGUF[: len(GGUF) // 2], "cut short"),
    "cut in its data": (GGUF + bytes(64), "truncated"),
}
