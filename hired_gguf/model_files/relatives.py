"""Sound vision files of other families, told from their keys and tensors: what one is, and what would serve.

None of them is damaged, so each is refused as unsupported, and before any rule that would call it broken.
Families and names are those of llama.cpp (tools/mtmd/clip-impl.h) and its converters.
"""

from __future__ import annotations

import re
from typing import Final

from .gguf_fields import Fields

SERVES: Final = (
    "hired-gguf runs LLaVA-1.5, LLaVA-1.6 and what is built like them: a CLIP tower and the projector 'mlp'. "
    "llama.cpp's llama-mtmd-cli may run this file"
)
#: What a projector belongs to, by how its name starts; longer names come before their beginnings.
FAMILIES: Final = (
    ("ldp", "MobileVLM"), ("resampler", "MiniCPM-V"), ("minicpmv", "MiniCPM-V"), ("adapter", "GLM-Edge-V"),
    ("qwen2vl", "Qwen2-VL"), ("qwen2.5vl", "Qwen2.5-VL"), ("qwen2.5o", "Qwen2.5-Omni"),
    ("qwen3vl", "Qwen3-VL"), ("gemma3n", "Gemma 3n"), ("gemma3", "Gemma 3"), ("gemma4", "Gemma 4"),
    ("phi4", "Phi-4 multimodal"), ("idefics3", "SmolVLM and Idefics 3"), ("pixtral", "Pixtral"),
    ("internvl", "InternVL"), ("llama4", "Llama 4"), ("lfm2", "LFM2-VL"), ("kimi", "Kimi-VL"),
    ("cogvlm", "CogVLM"), ("janus", "Janus-Pro"), ("glm4v", "GLM-4V"), ("glm5v", "GLM-5V"),
    ("deepseekocr", "DeepSeek-OCR"), ("deepseek", "DeepSeek"), ("paddleocr", "PaddleOCR-VL"),
    ("lightonocr", "LightOnOCR"), ("dots", "dots"), ("granite4", "Granite 4 Vision"),
    ("ultravox", "Ultravox, which hears"), ("voxtral", "Voxtral, which hears"),
    ("qwen2a", "Qwen2-Audio, which hears"), ("granite_speech", "Granite Speech, which hears"),
)  # fmt: skip
SIGLIP: Final = "JoyCaption, Bunny, nanoLLaVA, Nous-Hermes-2-Vision, moondream2, Granite Vision"
#: Tensors that no LLaVA file has, and what has them.
TENSORS: Final = (
    (r"mm\.[134]\.", "belongs to a projector with norms (Yi-VL)"),
    (r"mm\.model\.(mlp|mb_block|peg)\.", "belongs to the projector of MobileVLM"),
    (r"resampler\.", "belongs to the resampler of MiniCPM-V"),
    (r"v\.blk\.\d+\.attn_qkv\.", "belongs to a tower with joint attention matrices (InternViT, Qwen-VL)"),
    (r"v\.blk\.\d+\.ls\d\.", "belongs to a tower with layer scales (InternViT)"),
    (r"v\.blk\.\d+\.ffn_gate\.", "belongs to a tower with gates (Pixtral, Qwen2.5-VL)"),
    (r"a\.", "belongs to an audio encoder"),
    (r"t\.", "belongs to CLIP's text encoder, which no LLaVA file has"),
)


def family(projector: str) -> str:
    """Which family a projector is of, as a clause; empty if it is not known here."""
    known = (name for start, name in FAMILIES if projector.lower().startswith(start))
    return next((f" (of {name})" for name in known), "")


def refuse_relatives(fields: Fields) -> None:
    """Raise UnsupportedModelError for a vision file that is sound and of another family."""
    tensors = fields.file.tensors
    _refuse_other_encoders(fields)
    _refuse_other_projectors(fields)
    for pattern, what in TENSORS:
        if name := next(filter(re.compile(pattern).match, tensors), None):
            fields.unsupported(f"the tensor {name!r}", f"{what}; {SERVES}")
    if "v.class_embd" not in tensors and ("v.patch_embd.bias" in tensors or "v.pre_ln.weight" not in tensors):
        fields.unsupported("'v.class_embd'", f"is missing, as in towers of SigLIP ({SIGLIP}); {SERVES}")
    _refuse_joined_features(fields)


def _refuse_other_encoders(fields: Fields) -> None:
    for key in ("clip.has_audio_encoder", "clip.has_gen_audio_encoder"):
        if fields.flag(key):
            fields.unsupported(key, f"is true: the file hears; {SERVES}")
    if not fields.need("clip.has_vision_encoder", bool):
        fields.unsupported("clip.has_vision_encoder", f"is false: the file does not see; {SERVES}")


def _refuse_other_projectors(fields: Fields) -> None:
    key = "clip.projector_type" if fields.get("clip.projector_type", str) else "clip.vision.projector_type"
    projector = fields.get(key, str)
    if projector not in (None, "", "mlp"):
        fields.unsupported(key, f"is {projector[:40]!r}{family(projector)}; {SERVES}")
    if projector or fields.flag("clip.has_llava_projector"):
        return
    if not any(name.startswith("mm.") for name in fields.file.tensors):
        fields.unsupported("clip.has_llava_projector", f"is not true: a bare CLIP, no projector; {SERVES}")
    fields.fail("clip.projector_type", "is missing, and clip.has_llava_projector is not true")


def _refuse_joined_features(fields: Fields) -> None:
    """A projector that takes several layers' features, or several patches, at once."""
    key = "clip.vision.feature_layer"
    chosen = {layer for layer in fields.get(key, tuple) or () if layer != -1}
    if len(chosen) > 1:
        fields.unsupported(
            key, f"has {len(chosen)} layers, whose features are joined (ViP-LLaVA, Granite Vision); {SERVES}"
        )
    first, width = fields.file.tensors.get("mm.0.weight"), fields.get("clip.vision.embedding_length", int)
    if first and first.shape and width and first.shape[0] > width and first.shape[0] % width == 0:
        joined = f"takes {first.shape[0] // width} times clip.vision.embedding_length {width}"
        fields.unsupported(
            "the tensor 'mm.0.weight'",
            f"{joined}: patches or layers are joined (Phi-3-Vision, ViP-LLaVA, Granite Vision); {SERVES}",
        )
