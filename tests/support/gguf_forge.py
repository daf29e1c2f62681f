"""Write GGUF files byte by byte, so that a test can spoil exactly one thing in a good one."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hired_gguf.model_files.gguf_file import TENSOR_TYPES

KINDS = {
    "u8": (0, "B"), "i8": (1, "b"), "u16": (2, "H"), "i16": (3, "h"), "u32": (4, "I"), "i32": (5, "i"),
    "f32": (6, "f"), "bool": (7, "B"), "str": (8, ""), "u64": (10, "Q"), "i64": (11, "q"), "f64": (12, "d"),
}  # fmt: skip
TYPES = {name: (code, block, size) for code, (name, block, size) in TENSOR_TYPES.items()}


@dataclass
class Tensor:
    """``code`` and ``offset`` lie about the type and the place where set."""

    shape: tuple[int, ...]
    type: str = "F32"
    code: int | None = None
    offset: int | None = None

    @property
    def nbytes(self) -> int:
        _, block, size = TYPES[self.type]
        total = 1
        for n in self.shape:
            total *= n
        return -(-total // block) * size


@dataclass
class Forge:
    """A file in parts; counts, magic and version can lie; ``pairs`` and ``rows`` repeat what dicts cannot.

    ``contents`` has the data of tensors by name; all other data is zeros.
    """

    metadata: dict[str, tuple[str, Any]] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    pairs: list[tuple[str, tuple[str, Any]]] = field(default_factory=list)
    rows: list[tuple[str, Tensor]] = field(default_factory=list)
    magic: bytes = b"GGUF"
    version: int = 3
    n_tensors: int | None = None
    n_keys: int | None = None
    alignment: int = 32
    contents: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> Forge:
        """To be spoiled: only the numbers inside a value of the metadata are shared."""
        tensors = {name: replace(tensor) for name, tensor in self.tensors.items()}
        return replace(
            self, metadata={**self.metadata}, tensors=tensors, pairs=[*self.pairs], rows=[*self.rows]
        )

    def header(self) -> bytes:
        pairs = [*self.metadata.items(), *self.pairs]
        rows = [*self.tensors.items(), *self.rows]
        n_tensors = len(rows) if self.n_tensors is None else self.n_tensors
        n_keys = len(pairs) if self.n_keys is None else self.n_keys
        parts = [self.magic, struct.pack("<IQQ", self.version, n_tensors, n_keys)]
        parts += [string(key) + value(*typed) for key, typed in pairs]
        end = 0
        for name, tensor in rows:
            offset = end if tensor.offset is None else tensor.offset
            code = TYPES[tensor.type][0] if tensor.code is None else tensor.code
            dims = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
            parts.append(string(name) + dims + struct.pack("<IQ", code, offset))
            end = self.pad(offset + tensor.nbytes)
        return b"".join(parts)

    def data_size(self) -> int:
        return sum(self.pad(tensor.nbytes) for _, tensor in [*self.tensors.items(), *self.rows])

    def pad(self, offset: int) -> int:
        return -(-offset // self.alignment) * self.alignment

    def write(self, path: Path, *, data_size: int | None = None, header: bytes | None = None) -> Path:
        """Zeros are a hole in the file."""
        header = header or self.header()
        path.write_bytes(header)
        at = self.pad(len(header))
        with path.open("r+b") as stream:
            stream.truncate(at + (self.data_size() if data_size is None else data_size))
            for name, tensor in self.tensors.items():
                stream.seek(at)
                stream.write(self.contents.get(name, b"")[: tensor.nbytes])
                at += self.pad(tensor.nbytes)
        return path


def string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def value(kind: str, content: Any) -> bytes:
    """A type number and a value; kind ``raw`` is written as it is."""
    if kind == "raw":
        return bytes(content)
    if kind == "str":
        return struct.pack("<I", 8) + string(content)
    if not kind.startswith("array["):
        code, form = KINDS[kind]
        return struct.pack(f"<I{form}", code, content)
    code, form = KINDS[kind[6:-1]]
    head = struct.pack("<IIQ", 9, code, len(content))
    if code == 8:
        return head + b"".join(string(text) for text in content)
    return head + struct.pack(f"<{len(content)}{form}", *content)


def good_mmproj(
    *, D: int = 32, F: int = 64, P: int = 4, side: int = 2, layers: int = 2, X: int = 24, T: int = 16
) -> Forge:
    """A small LLaVA-Next vision file in the legacy layout, types as in the well-known F16 files."""
    tile = P * side
    v = "clip.vision."
    metadata: dict[str, tuple[str, Any]] = {
        "general.architecture": ("str", "clip"),
        "general.name": ("str", "small"),
        "general.description": ("str", "image encoder for LLaVA"),
        "general.file_type": ("u32", 1),
        "clip.has_text_encoder": ("bool", False),
        "clip.has_vision_encoder": ("bool", True),
        "clip.has_llava_projector": ("bool", True),
        "clip.projector_type": ("str", "mlp"),
        "clip.use_gelu": ("bool", False),
        v + "image_size": ("u32", tile),
        v + "patch_size": ("u32", P),
        v + "embedding_length": ("u32", D),
        v + "feed_forward_length": ("u32", F),
        v + "projection_dim": ("u32", 8),
        v + "block_count": ("u32", layers),
        v + "attention.head_count": ("u32", 4),
        v + "attention.layer_norm_epsilon": ("f32", 1e-5),
        v + "image_mean": ("array[f32]", [0.48, 0.46, 0.41]),
        v + "image_std": ("array[f32]", [0.27, 0.26, 0.28]),
        v + "image_grid_pinpoints": ("array[i32]", [tile, 2 * tile, 2 * tile, tile]),
        v + "mm_patch_merge_type": ("str", "spatial_unpad"),
    }
    tensors = {
        "v.class_embd": Tensor((D,)),
        "v.patch_embd.weight": Tensor((P, P, 3, D), "F16"),
        "v.position_embd.weight": Tensor((D, side * side + 1), "F16"),
        **_norm("v.pre_ln", D),
    }
    for layer in range(layers):
        block = f"v.blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensors |= _linear(block + name, D, D)
        tensors |= _norm(block + "ln1", D) | _norm(block + "ln2", D)
        tensors |= _linear(block + "ffn_down", D, F) | _linear(block + "ffn_up", F, D)
    tensors |= _linear("mm.0", D, X) | _linear("mm.2", X, T)
    tensors["model.image_newline"] = Tensor((T,))
    return Forge(metadata, tensors)


def good_text() -> Forge:
    """The header of a small language model."""
    metadata: dict[str, tuple[str, Any]] = {
        "general.architecture": ("str", "llama"),
        "general.name": ("str", "small"),
        "llama.context_length": ("u32", 4096),
        "llama.block_count": ("u32", 2),
        "llama.embedding_length": ("u32", 32),
        "tokenizer.ggml.model": ("str", "gpt2"),
        "tokenizer.ggml.tokens": ("array[str]", ["<unk>", "<s>", "</s>", b"\xff"]),
        "tokenizer.ggml.scores": ("array[f32]", [0.0, -1.0, -2.0, -3.0]),
        "tokenizer.chat_template": ("str", "{{ messages }}"),
    }
    return Forge(metadata, {"output_norm.weight": Tensor((32,)), "output.weight": Tensor((32, 4), "Q4_0")})


def _linear(name: str, inputs: int, outputs: int) -> dict[str, Tensor]:
    return {f"{name}.weight": Tensor((inputs, outputs), "F16"), f"{name}.bias": Tensor((outputs,))}


def _norm(name: str, width: int) -> dict[str, Tensor]:
    return {f"{name}.weight": Tensor((width,)), f"{name}.bias": Tensor((width,))}


EXTREMES = (0, 1, 2, 9, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def damaged(header: bytes) -> st.SearchStrategy[bytes]:
    """The header with one to four places overwritten by random bytes or extreme numbers."""
    new = st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from(EXTREMES).map(lambda n: struct.pack("<Q", n)),
        st.sampled_from(EXTREMES).map(lambda n: struct.pack("<I", n % 2**32)),
    )
    changes = st.lists(st.tuples(st.integers(0, len(header) - 1), new), min_size=1, max_size=4)
    return changes.map(lambda listed: _overwrite(header, listed))


def _overwrite(header: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    data = bytearray(header)
    for at, new in changes:
        data[at : at + len(new)] = new
    return bytes(data[: len(header)])
