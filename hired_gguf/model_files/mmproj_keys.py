"""What the metadata of a LLaVA vision file must say: a type for every key, then a rule for every value.

The vision loader in llama.cpp aborts the process on a value of another type than it reads, and believes most
others. So types are exact here, and ranges are those of real models.
"""

from __future__ import annotations

import math
from typing import Final

from .gguf_fields import Fields

# Every key that the loader reads for this kind of file, with the only type that it takes.
KEY_TYPES: Final = {
    "general.name": "str",
    "general.description": "str",
    "general.file_type": "u32",
    "clip.has_vision_encoder": "bool",
    "clip.has_audio_encoder": "bool",
    "clip.has_gen_audio_encoder": "bool",
    "clip.has_text_encoder": "bool",
    "clip.has_llava_projector": "bool",
    "clip.projector_type": "str",
    "clip.use_gelu": "bool",
    "clip.use_silu": "bool",
    "clip.minicpmv_version": "i32",
    "clip.minicpmv_query_num": "u32",
    "clip.vision.projector_type": "str",
    "clip.vision.image_size": "u32",
    "clip.vision.patch_size": "u32",
    "clip.vision.embedding_length": "u32",
    "clip.vision.feed_forward_length": "u32",
    "clip.vision.projection_dim": "u32",
    "clip.vision.block_count": "u32",
    "clip.vision.attention.head_count": "u32",
    "clip.vision.attention.head_count_kv": "u32",
    "clip.vision.attention.head_dim": "u32",
    "clip.vision.attention.layer_norm_epsilon": "f32",
    "clip.vision.image_mean": "array[f32]",
    "clip.vision.image_std": "array[f32]",
    "clip.vision.image_grid_pinpoints": "array[i32]",
    "clip.vision.mm_patch_merge_type": "str",
    "clip.vision.feature_layer": "array[i32]",
}
MAX_IMAGE_SIZE: Final = 8192
MAX_SIDE: Final = 64  # patches; CLIP-L at 336 pixels has 24. Attention takes side**4 numbers a head
MAX_EPS: Final = 1e-2
MAX_PINPOINTS: Final = 64
MAX_TILES: Final = 64  # of one pinpoint
#: Layers of the whole CLIP towers (ViT-B, L, H, g, G) by their width.
WHOLE_TOWERS: Final = {768: 12, 1024: 24, 1280: 32, 1408: 40, 1664: 48}


def image_and_patch(fields: Fields) -> tuple[int, int]:
    """Sides of a tile and of a patch, in pixels."""
    image_size = fields.count("clip.vision.image_size", MAX_IMAGE_SIZE)
    patch_size = fields.count("clip.vision.patch_size", image_size)
    if image_size % patch_size:
        fields.fail(
            "clip.vision.image_size",
            f"is {image_size}, not a multiple of clip.vision.patch_size {patch_size}",
        )
    if image_size // patch_size > MAX_SIDE:
        fields.fail(
            "clip.vision.image_size", f"is {image_size // patch_size} patches; at most {MAX_SIDE} are allowed"
        )
    return image_size, patch_size


def width_and_heads(fields: Fields) -> tuple[int, int]:
    """Width of the tower and its attention heads."""
    width = fields.count("clip.vision.embedding_length")
    heads = fields.count("clip.vision.attention.head_count", width)
    if width % heads:
        fields.fail(
            "clip.vision.attention.head_count",
            f"is {heads}, no divisor of clip.vision.embedding_length {width}",
        )
    for name, value in (("head_count_kv", heads), ("head_dim", width // heads)):
        key = f"clip.vision.attention.{name}"
        if fields.get(key, int) not in (None, value):
            fields.fail(key, f"is {fields.get(key, int)}; CLIP has {value}")
    return width, heads


def feed_forward(fields: Fields, width: int) -> int:
    """Width inside a layer. Files swap the names of its two matrices, and only their shapes tell."""
    key = "clip.vision.feed_forward_length"
    value = fields.count(key)
    if value == width:
        fields.fail(key, f"is {value}, the same as clip.vision.embedding_length; CLIP has 4 times that")
    return value


def eps(fields: Fields) -> float:
    """What layer norms add to the variance."""
    key = "clip.vision.attention.layer_norm_epsilon"
    value = fields.need(key, float)
    if not 0 < value <= MAX_EPS:
        fields.fail(key, f"is {value}; more than 0 and at most {MAX_EPS} is allowed")
    return value


def colour(fields: Fields, key: str, *, positive: bool) -> tuple[float, float, float]:
    """Three numbers for red, green and blue."""
    values = fields.need(key, tuple)
    if len(values) != 3 or not all(math.isfinite(value) and (value > 0 or not positive) for value in values):
        fields.fail(
            key, f"is {list(values[:4])}; three finite{' positive' if positive else ''} numbers are needed"
        )
    red, green, blue = values
    return red, green, blue


def pinpoints(fields: Fields, tile: int) -> tuple[tuple[int, int], ...]:
    """Canvas sizes (height, width) that a picture may be fitted to."""
    key = "clip.vision.image_grid_pinpoints"
    flat = fields.get(key, tuple) or ()
    if len(flat) % 2 or len(flat) > 2 * MAX_PINPOINTS:
        fields.fail(
            key, f"has {len(flat)} numbers; at most {MAX_PINPOINTS} pairs of height and width are allowed"
        )
    pairs = tuple(zip(flat[::2], flat[1::2], strict=True))
    for pair in pairs:
        if any(side < 1 or side % tile for side in pair) or pair[0] * pair[1] > MAX_TILES * tile * tile:
            allowed = f"multiples of clip.vision.image_size {tile} and at most {MAX_TILES} tiles are allowed"
            fields.fail(key, f"has the pair {pair}; {allowed}")
    return pairs


def unpad(fields: Fields) -> bool:
    """Whether padding is removed from the stitched tiles; absent means flat."""
    key = "clip.vision.mm_patch_merge_type"
    merge = fields.get(key, str) or "flat"
    if merge not in ("flat", "spatial_unpad"):
        fields.unsupported(key, f"is {merge[:40]!r}; 'flat' and 'spatial_unpad' are supported")
    return merge == "spatial_unpad"


def use_gelu(fields: Fields) -> bool:
    """Exact GELU; otherwise CLIP's quick GELU."""
    if fields.flag("clip.use_silu"):
        both = " like clip.use_gelu" if fields.flag("clip.use_gelu") else ""
        fields.unsupported("clip.use_silu", f"is true{both}; CLIP has GELU or quick GELU")
    return fields.flag("clip.use_gelu")


def feature_layer(fields: Fields, layers: int, width: int) -> int | None:
    """The output of that many layers is the feature; -1 means unset, as in llama.cpp.

    LLaVA takes the last layer but one (Hugging Face's vision_feature_layer of -2), so converters leave CLIP's
    last layer out and write nothing. A file that holds the whole tower and says nothing means the same.
    """
    key = "clip.vision.feature_layer"
    chosen = {layer for layer in fields.get(key, tuple) or () if layer != -1}
    if not chosen:
        return layers - 1 if WHOLE_TOWERS.get(width) == layers else None
    layer = int(chosen.pop())
    if not 1 <= layer <= layers:
        fields.fail(key, f"is {layer}; 1 to clip.vision.block_count {layers} is allowed")
    return layer
