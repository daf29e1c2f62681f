"""A real GGUF file as a forge, values and all, and split as llama.cpp's llama-gguf-split does it."""

from __future__ import annotations

import gguf
import numpy as np
from gguf import GGUFValueType
from gguf_forge import Forge, Tensor

NAMES = {
    GGUFValueType.UINT8: "u8", GGUFValueType.INT8: "i8", GGUFValueType.UINT16: "u16",
    GGUFValueType.INT16: "i16", GGUFValueType.UINT32: "u32", GGUFValueType.INT32: "i32",
    GGUFValueType.FLOAT32: "f32", GGUFValueType.BOOL: "bool", GGUFValueType.STRING: "str",
    GGUFValueType.UINT64: "u64", GGUFValueType.INT64: "i64", GGUFValueType.FLOAT64: "f64",
}  # fmt: skip


def forge_of(path):
    """To spoil one thing in, or none."""
    reader = gguf.GGUFReader(path)
    forge = Forge()
    for key, entry in reader.fields.items():
        if not key.startswith("GGUF."):
            kind = NAMES[entry.types[-1]]
            array = entry.types[0] is GGUFValueType.ARRAY
            forge.metadata[key] = (f"array[{kind}]" if array else kind, entry.contents())
    for tensor in reader.tensors:
        shape = tuple(int(n) for n in tensor.shape)
        forge.tensors[tensor.name] = Tensor(shape, tensor.tensor_type.name)
        forge.contents[tensor.name] = np.asarray(tensor.data).tobytes()
    return forge


def part_name(stem, number, count):
    """As llama.cpp looks for it; parts count from 0."""
    return f"{stem}-{number + 1:05d}-of-{count:05d}.gguf"


def split(forge, folder, stem, count=3, *, metadata_alone=False):
    """Write all parts; the first holds the metadata, and no tensor if ``metadata_alone``."""
    names = list(forge.tensors)
    share = -(-len(names) // (count - metadata_alone))
    paths = []
    for number in range(count):
        part = Forge(forge.metadata.copy() if number == 0 else {}, contents=forge.contents)
        first = (number - metadata_alone) * share
        held = [] if first < 0 else names[first : first + share]
        part.tensors = {name: forge.tensors[name] for name in held}
        part.metadata |= {
            "split.no": ("u16", number),
            "split.count": ("u16", count),
            "split.tensors.count": ("i32", len(names)),
        }
        paths.append(part.write(folder / part_name(stem, number, count)))
    return paths
