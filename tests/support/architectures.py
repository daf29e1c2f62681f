"""The golden text model under other architectures' names, with the keys and tensors that these want."""

from __future__ import annotations

import numpy as np
from gguf_forge import Tensor
from gguf_parts import forge_of
from golden_pair import TEXT

WIDTH, HEAD, LAYERS = 128, 32, 2

KEYS = {
    "granite": {"embedding_scale": 12.0, "logit_scale": 2.0, "residual_scale": 0.5, "attention.scale": 0.2},
    "gemma2": {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0},
}
HEAD_NORMS = {"attn_q_norm": HEAD, "attn_k_norm": HEAD}
POST_NORMS = {"post_attention_norm": WIDTH, "post_ffw_norm": WIDTH}
NORMS = {"qwen3": HEAD_NORMS, "gemma2": POST_NORMS, "gemma3": {**HEAD_NORMS, **POST_NORMS}}
TIED = ("gemma", "gemma2", "gemma3")


def text_model(architecture, path):
    """Write the golden text model as one of this architecture, which gives other logits."""
    forge = forge_of(TEXT)
    forge.metadata = {
        f"{architecture}.{key.removeprefix('llama.')}" if key.startswith("llama.") else key: value
        for key, value in forge.metadata.items()
    }
    forge.metadata["general.architecture"] = ("str", architecture)
    for key, value in KEYS.get(architecture, {}).items():
        forge.metadata[f"{architecture}.{key}"] = ("f32", value)
    for layer in range(LAYERS):
        for name, size in NORMS.get(architecture, {}).items():
            forge.tensors[f"blk.{layer}.{name}.weight"] = Tensor((size,))
            forge.contents[f"blk.{layer}.{name}.weight"] = np.ones(size, np.float32).tobytes()
    if architecture in TIED:
        del forge.tensors["output.weight"]
    if architecture == "phi3":
        _join(forge)
    return forge.write(path)


def _join(forge):
    """The gate and the way up of the feed-forward as one tensor."""
    for layer in range(LAYERS):
        gate, up = (f"blk.{layer}.{name}.weight" for name in ("ffn_gate", "ffn_up"))
        width, rows = forge.tensors[up].shape
        del forge.tensors[gate]
        forge.tensors[up] = Tensor((width, 2 * rows))
        forge.contents[up] = forge.contents[gate] + forge.contents[up]
