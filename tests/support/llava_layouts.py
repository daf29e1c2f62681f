"""The layouts in which LLaVA's vision files are found, rebuilt from a small file of this package.

Keys, their number, names and types are those of public dumps; values are the small file's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import gguf
import numpy as np
from ggml_types import pack
from gguf import GGUFValueType as Value

V = "clip.vision."
#: The converter's keys of 2023, besides the architecture: 17 and that one are 18.
KEYS_2023 = (
    "clip.has_text_encoder", "clip.has_vision_encoder", "clip.has_llava_projector", "general.file_type",
    "general.name", "general.description", V + "image_size", V + "patch_size", V + "embedding_length",
    V + "feed_forward_length", V + "projection_dim", V + "attention.head_count",
    V + "attention.layer_norm_epsilon", V + "block_count", V + "image_mean", V + "image_std", "clip.use_gelu",
)  # fmt: skip
KEYS_2024 = (*KEYS_2023, "clip.projector_type")
NEXT_KEYS = (V + "image_grid_pinpoints", V + "mm_patch_merge_type")
NEXT_ADDED = {
    V + "image_crop_resolution": (224, Value.UINT32),
    V + "image_split_resolution": (224, Value.UINT32),
    V + "image_aspect_ratio": ("anyres", Value.STRING),
    V + "mm_projector_type": ("mlp2x_gelu", Value.STRING),
}
NAMED = {
    "general.name": ("vit-large336-custom", Value.STRING),
    "general.description": ("image encoder for LLaVA", Value.STRING),
    "general.file_type": (1, Value.UINT32),
}


@dataclass(frozen=True)
class Layout:
    """``matrices`` is the type of two-dimensional weights, ``position`` that of the position table."""

    keys: tuple[str, ...]
    added: dict = field(default_factory=dict)
    newline: bool = False
    matrices: str = "F16"
    position: str = "F16"
    version: int = 3

    @property
    def n_keys(self):
        return 1 + len(self.keys) + len(self.added)


def quantised(kind, position=None, **options):
    """By llama.cpp's clip quantizer of 2024: the position table, too, in Q8_0 beside K types."""
    table = position or ("Q8_0" if "K" in kind else kind)
    return Layout(KEYS_2024, matrices=kind, position=table, **options)


OLD_TYPES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
NEXT = {"keys": (*KEYS_2024, *NEXT_KEYS), "added": NEXT_ADDED, "newline": True}
LAYOUTS = {
    "1.5 of 2023, GGUF 2": Layout(KEYS_2023, version=2),
    "1.5 of 2023, GGUF 3": Layout(KEYS_2023),
    "1.5 of 2024": Layout(KEYS_2024),
    "1.6": Layout(**NEXT),
    "1.6 of Ollama": Layout(KEYS_2024),
    **{f"1.5, old {kind}": quantised(kind) for kind in OLD_TYPES},
    **{f"1.6, old {kind}": Layout(**NEXT, matrices=kind, position=kind) for kind in OLD_TYPES},
    **{f"1.6, today's {kind}": Layout(**NEXT, matrices=kind) for kind in OLD_TYPES},
    "1.6, BF16": Layout(**NEXT, matrices="BF16", position="BF16"),
}


def write(source, target, layout):
    """Write the source's weights in a layout."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "clip")
    fields = {key: (f.contents(), f.types[0], f.types[-1]) for key, f in reader.fields.items()}
    for key in layout.keys:
        if key in NAMED:
            writer.add_key_value(key, *NAMED[key])
        else:
            content, kind, item = fields[key]
            writer.add_key_value(key, content, kind, sub_type=item if kind is Value.ARRAY else None)
    for key, typed in layout.added.items():
        if typed[1] is Value.ARRAY:
            writer.add_array(key, typed[0])
        else:
            writer.add_key_value(key, *typed)
    for tensor in reader.tensors:
        if tensor.name.endswith("image_newline") and not layout.newline:
            continue
        kind = type_of(tensor, layout)
        values = np.array(tensor.data, np.float32)
        packed = pack(values, kind) if values.ndim == 2 else gguf.quants.quantize(values, kind_of(kind))
        writer.add_tensor(tensor.name, packed, raw_dtype=kind_of(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if layout.version != 3:
        with target.open("r+b") as file:
            file.seek(4)
            file.write(struct.pack("<I", layout.version))
    return target


def kind_of(name):
    return gguf.GGMLQuantizationType[name]


def type_of(tensor, layout):
    """As the converter and the quantizers choose it."""
    if not tensor.name.endswith(".weight") or len(tensor.shape) == 1:
        return "F32"
    if len(tensor.shape) == 4:
        return "F16"
    return layout.position if tensor.name == "v.position_embd.weight" else layout.matrices
