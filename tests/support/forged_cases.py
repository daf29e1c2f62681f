"""Pairs with one thing wrong, or nothing: name, the two files, and what may come of it.

``expect`` is "answer" (the very answer of the sound pair), "answers" (any answer), the name of an error,
"refused" (any error of ours), "same" (refused, or the sound pair's answer), or "other" (refused, or any).
"""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass
from pathlib import Path

from gguf_forge import Tensor
from gguf_parts import forge_of, split
from golden_pair import MMPROJ, TEXT
from llava_layouts import LAYOUTS, write
from vision_relatives import RELATIVES
from wrong_downloads import WRONG

from hired_gguf.model_files.gguf_file import read_gguf

V = "clip.vision."
SCALARS = {
    "u8": 1, "i8": 1, "u16": 1, "i16": 1, "u32": 1, "i32": 1, "f32": 1.0, "bool": True, "str": "1",
    "u64": 1, "i64": 1, "f64": 1.0, "array[u32]": [1], "array[str]": ["1"], "array[f64]": [1.0],
}  # fmt: skip
#: Removed, they change what is meant, and the file stays sound.
MEANINGFUL = ("image_grid_pinpoints", "mm_patch_merge_type", "_token_id")
NUMBERS = {
    "llama.attention.head_count": (0, 3, 5, 2**31, 2**32 - 1),
    "llama.attention.head_count_kv": (0, 3, 5, 2**32 - 1),
    "llama.block_count": (0, 1, 3, 10**6, 2**32 - 1),
    "llama.embedding_length": (0, 1, 127, 2**32 - 1),
    "llama.feed_forward_length": (0, 1, 255, 2**32 - 1),
    "llama.context_length": (0, 2**31 - 1, 2**32 - 1),
    "llama.vocab_size": (0, 1, 2**31, 2**32 - 1),
    "llama.rope.dimension_count": (1, 3, 2**32 - 1),
    "llama.attention.layer_norm_rms_epsilon": (math.nan, -1.0, math.inf, 1e30),
    "llama.rope.freq_base": (math.nan, 0.0, -1.0, math.inf),
    "tokenizer.ggml.bos_token_id": (10**6, 2**32 - 1),
    "tokenizer.ggml.eos_token_id": (10**6, 2**32 - 1),
    "tokenizer.ggml.unknown_token_id": (10**6, 2**32 - 1),
}


@dataclass(frozen=True)
class Case:
    name: str
    expect: str
    text: Path = TEXT
    mmproj: Path = MMPROJ


class Forgery:
    """Makes the files of cases in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.sound = {"text": forge_of(TEXT), "mmproj": forge_of(MMPROJ)}
        self.made = 0

    def case(self, which, name, expect, content):
        """``content`` is a forge or bytes."""
        self.made += 1
        path = self.folder / f"{self.made}.gguf"
        path.write_bytes(content) if isinstance(content, bytes) else content.write(path)
        return Case(f"{which}: {name}", expect, **{which: path})

    def wrong_downloads(self):
        for which in ("text", "mmproj"):
            for name, (content, _) in WRONG.items():
                yield self.case(which, name, "ModelFormatError", content)

    def truncated(self):
        for which, path in (("text", TEXT), ("mmproj", MMPROJ)):
            data, forge = path.read_bytes(), self.sound[which]
            start = end = forge.pad(len(forge.header()))
            cuts = [*range(1, start, start // 20)]
            for tensor in forge.tensors.values():
                cuts += [end + 1, end + tensor.nbytes - 1]
                end += forge.pad(tensor.nbytes)
            for cut in cuts:
                yield self.case(which, f"cut at {cut}", "ModelFormatError", data[:cut])

    def splits(self):
        for count, alone in ((2, False), (3, True), (5, False)):
            folder = self.folder / f"split-{count}"
            folder.mkdir()
            first, *later = split(self.sound["text"], folder, "text", count, metadata_alone=alone)
            yield Case(f"text: first of {count} parts", "answer", text=first)
            for path in later:
                yield Case(f"text: {path.name}", "UnsupportedModelError", text=path)
                yield Case(f"mmproj: {path.name}", "UnsupportedModelError", mmproj=path)
                whole = path.read_bytes()
                pointer = WRONG["LFS pointer"][0]
                for kind, data in (("cut", whole[:-9]), ("a pointer", pointer), ("gone", None)):
                    path.unlink()
                    if data is not None:
                        path.write_bytes(data)
                    yield Case(f"text: {path.name} {kind}", "ModelFormatError", text=first)
                path.write_bytes(whole)

    def layouts(self):
        for name, layout in LAYOUTS.items():
            self.made += 1
            path = write(MMPROJ, self.folder / f"{self.made}.gguf", layout)
            yield Case(f"mmproj: {name}", "answers", mmproj=path)

    def relatives(self):
        for name, (make, _) in RELATIVES.items():
            yield self.case("mmproj", name, "UnsupportedModelError", make())

    def keys(self, kinds=SCALARS):
        """Each key removed, and with each wrong type."""
        for which, sound in self.sound.items():
            for key, (kind, _) in sound.metadata.items():
                forge = sound.copy()
                del forge.metadata[key]
                expect = "other" if key.endswith(MEANINGFUL) else "same"
                yield self.case(which, f"without {key}", expect, forge)
                for other, content in kinds.items():
                    if other != kind:
                        forge.metadata[key] = (other, content)
                        yield self.case(which, f"{key} as {other}", "same", forge)

    def numbers(self):
        for key, values in NUMBERS.items():
            for value in values:
                forge = self.sound["text"].copy()
                kind = "f32" if isinstance(value, float) else "u32"
                forge.metadata[key] = (kind, value)
                expect = "other" if "token_id" in key or "rope.dimension" in key else "same"
                yield self.case("text", f"{key} is {value}", expect, forge)

    def tensors(self, kinds=("F16", "BF16", "Q8_0", "Q4_0", "I32", "I8", "F64")):
        """Each tensor removed, renamed, with one row more, and in each other type."""
        for which, sound in self.sound.items():
            for name, tensor in sound.tensors.items():
                forge = sound.copy()
                del forge.tensors[name]
                tied = "other" if name == "output.weight" else "refused"  # token_embd stands in for it
                yield self.case(which, f"without {name}", tied, forge)
                forge.tensors[name + ".x"] = tensor
                yield self.case(which, f"{name} renamed", "refused", forge)
                forge = sound.copy()
                forge.tensors[name] = Tensor((*tensor.shape[:-1], tensor.shape[-1] + 1))
                yield self.case(which, f"{name} larger", "refused", forge)
                for kind in kinds:
                    forge = sound.copy()
                    forge.tensors[name] = Tensor(tensor.shape, kind)
                    yield self.case(which, f"{name} as {kind}", "other", forge)

    def damage(self, count=100, seed=1):
        """Whole files with one to three numbers of the header overwritten."""
        chance = random.Random(seed)
        extremes = [struct.pack("<I", n) for n in (0, 1, 255, 2**31 - 1, 2**31, 2**32 - 1)]
        extremes += [struct.pack("<f", x) for x in (math.nan, -1.0, 1e30)]
        for which, path in (("text", TEXT), ("mmproj", MMPROJ)):
            start = read_gguf(path).data_offset
            for number in range(count):
                data = bytearray(path.read_bytes())
                for _ in range(chance.choice((1, 1, 2, 3))):
                    at = chance.randrange(8, start)
                    new = chance.choice((bytes([chance.randrange(256)]), chance.choice(extremes)))
                    data[at : at + len(new)] = new
                yield self.case(which, f"damage {number} of seed {seed}", "other", bytes(data))

    def vocabularies(self):
        sound = self.sound["text"]
        kind, tokens = sound.metadata["tokenizer.ggml.tokens"]
        for name, changed in {
            "without byte tokens": [t.replace("<0x", "<1x") for t in tokens],
            "one token twice": [*tokens[:-1], tokens[290]],
            "one token less": tokens[:-1],
            "one token": tokens[:1],
            "no tokens": [],
            "tokens without a letter": [""] * len(tokens),
        }.items():
            forge = sound.copy()
            forge.metadata["tokenizer.ggml.tokens"] = (kind, changed)
            yield self.case("text", name, "refused", forge)
        for model in ("gpt2", "bert", "t5", "rwkv", "plamo2", "none", "no_vocab", "gemma4", "x"):
            forge = sound.copy()
            forge.metadata["tokenizer.ggml.model"] = ("str", model)
            yield self.case("text", f"tokenizer {model}", "other", forge)
        for key in ("scores", "token_type"):
            forge = sound.copy()
            kind, values = forge.metadata[f"tokenizer.ggml.{key}"]
            forge.metadata[f"tokenizer.ggml.{key}"] = (kind, values[:-1])
            yield self.case("text", f"{key} one short", "refused", forge)


def mistake(case, outcome, sound):
    """What is wrong with an outcome, None if nothing is."""
    if set(outcome) & {"died", "hung", "strange"}:
        return f"{case.name}: {outcome}"
    answered, refused = "answer" in outcome, "error" in outcome
    right = {
        "answer": answered and outcome["answer"] == sound,
        "answers": answered,
        "other": True,
        "refused": refused,
        "same": refused or outcome["answer"] == sound,
    }.get(case.expect, outcome.get("error") == case.expect)
    return None if right else f"{case.name}: {outcome}, {case.expect} was expected"
