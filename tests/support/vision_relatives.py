"""Vision files of other families at small widths, laid out as their converters write them."""

from __future__ import annotations

from gguf_forge import Forge, Tensor, good_mmproj

V = "clip.vision."


def drop(forge, *names):
    for name in [*forge.tensors]:
        if name.startswith(names):
            del forge.tensors[name]
    return forge


def keys(forge, **changed):
    """Keys of the vision part, by their last word."""
    kinds = {"feature_layer": "array[i32]", "image_size": "u32", "patch_size": "u32"}
    forge.metadata |= {V + key: (kinds[key], value) for key, value in changed.items()}
    return forge


def projector(name, **options):
    forge = good_mmproj(**options)
    forge.metadata["clip.projector_type"] = ("str", name)
    return forge


def plain(**options):
    """Without tiles."""
    forge = drop(good_mmproj(**options), "model.image_newline")
    for key in ("image_grid_pinpoints", "mm_patch_merge_type"):
        del forge.metadata[V + key]
    return forge


def siglip(name="mlp", *, pinpoints=False):
    """So400m: 384 pixels in patches of 14, no CLS, no norm before, one behind, a bias of the patches."""
    forge = keys(plain(), image_size=384, patch_size=14)
    forge.metadata["clip.projector_type"] = ("str", name)
    drop(forge, "v.class_embd", "v.pre_ln")
    forge.tensors |= {
        "v.patch_embd.weight": Tensor((14, 14, 3, 32), "F16"),
        "v.patch_embd.bias": Tensor((32,)),
        "v.position_embd.weight": Tensor((32, 729), "F16"),
        "v.post_ln.weight": Tensor((32,)),
        "v.post_ln.bias": Tensor((32,)),
    }
    if pinpoints:
        forge.metadata[V + "image_grid_pinpoints"] = ("array[i32]", [384, 768, 768, 384])
        forge.tensors["model.image_newline"] = Tensor((16,))
    return forge


def granite():
    forge = keys(siglip(pinpoints=True), feature_layer=[1, 2])
    forge.tensors["mm.0.weight"] = Tensor((64, 24), "F16")
    return forge


def vip():
    forge = keys(plain(), feature_layer=[1, 2])
    forge.tensors["mm.0.weight"] = Tensor((64, 24), "F16")
    return forge


def phi_3_vision():
    forge = plain()
    forge.tensors["mm.0.weight"] = Tensor((128, 24), "F16")
    return forge


def yi():
    forge = plain()
    forge.tensors |= {f"mm.{n}.{part}": Tensor((24,)) for n in (1, 4) for part in ("weight", "bias")}
    forge.tensors["mm.3.weight"] = forge.tensors.pop("mm.2.weight")
    return forge


def mobile(name):
    forge = drop(projector(name), "mm.")
    forge.tensors |= {f"mm.model.mlp.{n}.weight": Tensor((32, 32), "F16") for n in (1, 3)}
    return forge


def intern():
    forge = drop(projector("internvl"), "mm.", "v.pre_ln", "v.blk.0.attn_q", "v.blk.1.attn_q")
    forge.tensors |= {f"v.blk.{n}.attn_qkv.weight": Tensor((32, 96), "F16") for n in (0, 1)}
    forge.tensors |= {f"v.blk.{n}.ls1.weight": Tensor((32,)) for n in (0, 1)}
    forge.tensors["mm.model.mlp.0.weight"] = Tensor((128,))
    return forge


def audio():
    forge = Forge(
        {
            "general.architecture": ("str", "clip"),
            "clip.has_audio_encoder": ("bool", True),
            "clip.has_vision_encoder": ("bool", False),
            "clip.projector_type": ("str", "ultravox"),
            "clip.audio.embedding_length": ("u32", 32),
        }
    )
    forge.tensors["a.conv1d.1.weight"] = Tensor((3, 8, 32), "F16")
    return forge


def bare_clip():
    forge = drop(plain(), "mm.")
    forge.metadata["clip.has_llava_projector"] = ("bool", False)
    forge.metadata["clip.has_text_encoder"] = ("bool", True)
    del forge.metadata["clip.projector_type"]
    forge.tensors["t.token_embd.weight"] = Tensor((32, 40), "F16")
    return forge


def added(name, shape=(32,)):
    forge = plain()
    forge.tensors[name] = Tensor(shape)
    return forge


#: By what it is: how to make one, and what its refusal says.
RELATIVES = {
    "SigLIP: JoyCaption, Bunny, nanoLLaVA": (siglip, ("SigLIP", "JoyCaption", "'v.class_embd'")),
    "SigLIP without projector_type": (lambda: siglip(""), ("SigLIP",)),
    "SigLIP with tiles": (lambda: siglip(pinpoints=True), ("SigLIP", "Granite Vision")),
    "Granite Vision": (granite, ("SigLIP", "Granite Vision")),
    "ViP-LLaVA": (vip, ("feature_layer has 2 layers", "ViP-LLaVA")),
    "Phi-3-Vision": (phi_3_vision, ("takes 4 times", "Phi-3-Vision")),
    "Yi-VL": (yi, ("'mm.1.weight'", "Yi-VL")),
    "MobileVLM": (lambda: mobile("ldp"), ("'ldp'", "MobileVLM")),
    "MobileVLM 2": (lambda: mobile("ldpv2"), ("'ldpv2'", "MobileVLM")),
    "MobileVLM called mlp": (lambda: mobile("mlp"), ("'mm.model.mlp.1.weight'", "MobileVLM")),
    "InternVL": (intern, ("'internvl'", "InternVL")),
    "Qwen2-VL": (lambda: projector("qwen2vl_merger"), ("Qwen2-VL",)),
    "Qwen2.5-VL": (lambda: projector("qwen2.5vl_merger"), ("Qwen2.5-VL",)),
    "Qwen3-VL": (lambda: projector("qwen3vl_merger"), ("Qwen3-VL",)),
    "Gemma 3": (lambda: projector("gemma3"), ("'gemma3'", "Gemma 3")),
    "Gemma 3n": (lambda: projector("gemma3nv"), ("Gemma 3n",)),
    "MiniCPM-V": (lambda: projector("resampler"), ("MiniCPM-V",)),
    "GLM-Edge": (lambda: projector("adapter"), ("GLM-Edge-V",)),
    "Pixtral": (lambda: projector("pixtral"), ("Pixtral",)),
    "SmolVLM": (lambda: projector("idefics3"), ("SmolVLM",)),
    "Llama 4": (lambda: projector("llama4"), ("Llama 4",)),
    "LFM2-VL": (lambda: projector("lfm2"), ("LFM2-VL",)),
    "a family of tomorrow": (lambda: projector("tomorrow"), ("'tomorrow'",)),
    "audio": (audio, ("clip.has_audio_encoder", "hears")),
    "bare CLIP": (bare_clip, ("no projector",)),
    "joint attention": (lambda: added("v.blk.0.attn_qkv.weight"), ("InternViT",)),
    "layer scales": (lambda: added("v.blk.0.ls1.weight"), ("InternViT",)),
    "gates": (lambda: added("v.blk.0.ffn_gate.weight"), ("Pixtral",)),
    "resampler called mlp": (lambda: added("resampler.query"), ("MiniCPM-V",)),
    "sound beside sight": (lambda: added("a.conv1d.1.weight"), ("audio",)),
    "text encoder": (lambda: added("t.token_embd.weight"), ("text encoder",)),
}
