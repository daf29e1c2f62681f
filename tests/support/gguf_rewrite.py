"""Copy a GGUF file with some keys, tensors or types changed, values and all."""

from __future__ import annotations

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type


def rewrite(source, target, *, keys=None, drop=(), tensors=None, quant="F32"):
    """``keys`` maps to (value, GGUFValueType) or a list, ``tensors`` to a function of values or a new name.

    ``drop`` has the keys and tensors to leave out; ``quant`` is the type of the matrices.
    """
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    keys, tensors = keys or {}, tensors or {}
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in ("general.architecture", *drop, *keys):
            is_array = field.types[0] is gguf.GGUFValueType.ARRAY
            writer.add_key_value(
                key, field.contents(), field.types[0], sub_type=field.types[-1] if is_array else None
            )
    for key, value in keys.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        else:
            writer.add_key_value(key, *value)
    for tensor in reader.tensors:
        change = tensors.get(tensor.name)
        name = change if isinstance(change, str) else tensor.name
        if name in drop or tensor.name in drop:
            continue
        values = change(np.array(tensor.data)) if callable(change) else np.array(tensor.data)
        kind = Type[quant] if is_matrix(tensor.name) else Type.F32
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def is_matrix(name):
    return name.endswith(".weight") and any(part in name for part in ("attn_", "ffn_", "mm."))


def tensor_bytes(path):
    """Name to bytes, read by gguf's own reader."""
    return {tensor.name: np.array(tensor.data).tobytes() for tensor in gguf.GGUFReader(path).tensors}
