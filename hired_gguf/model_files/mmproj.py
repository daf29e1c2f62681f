"""Facts about the vision file of a LLaVA pair, checked completely before llama.cpp sees it.

``mmproj_keys`` has the rules for the metadata, ``mmproj_tensors`` those for the tensors.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelMismatchError
from . import mmproj_keys as rules
from .gguf_fields import Fields
from .gguf_file import fingerprint, read_gguf
from .mmproj_tensors import NEWLINES, read_tensors
from .relatives import refuse_relatives
from .splits import refuse_part


@dataclass(frozen=True)
class MmprojInfo:
    """A LLaVA vision file: CLIP tower, two-layer projector, tiling rule."""

    path: Path
    name: str | None
    image_size: int
    """Side of a tile in pixels."""
    patch_size: int
    side: int
    """Patches along a tile."""
    tokens: int
    """Visual tokens of a partition, ``side`` squared; CLS is not one."""
    width: int
    feed_forward: int
    heads: int
    layers: int
    """Layers in the file; converters leave CLIP's last one out."""
    feature_layer: int | None
    """The features are the output of this many layers; of all in the file if None."""
    eps: float
    text_width: int
    """Width of a projected token, which the language model must share."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pinpoints: tuple[tuple[int, int], ...]
    """Canvas sizes (height, width) to choose from; empty for LLaVA-1.5."""
    unpad: bool
    newline_name: str | None
    """The tensor that ends each row of a mosaic."""
    use_gelu: bool
    """Exact GELU; otherwise CLIP's quick GELU."""
    swapped_ffn: bool
    """The file names the feed-forward matrices the wrong way round, as legacy converters do."""
    file_type: str
    """The ggml type of most of the weights."""
    parameters: int
    fingerprint: str
    """A digest of the file, by ``gguf_file.fingerprint``."""

    @property
    def executed_layers(self) -> int:
        """How many layers produce the features."""
        return self.feature_layer or self.layers


#: A mmproj file: its path, or what `read_mmproj` found, so that nobody checks it twice.
Mmproj = str | os.PathLike[str] | MmprojInfo


def read_mmproj(mmproj: Mmproj) -> MmprojInfo:
    """Read and check a mmproj file. What was checked before is returned as it is.

    Raises FileNotFoundError, ModelMismatchError for a language model, UnsupportedModelError for another
    projector or an audio encoder, ModelFormatError for anything else. What passes loads safely; the values of
    its weights are not looked at.
    """
    if isinstance(mmproj, MmprojInfo):
        return mmproj
    fields = Fields(read_gguf(mmproj))
    refuse_part(fields, whole=True)
    architecture = fields.architecture()
    if architecture != "clip":
        raise ModelMismatchError(
            f"{fields.file.path}: general.architecture is {architecture[:40]!r}: this is a language model, "
            "not a mmproj ('clip'). Are the two paths swapped?"
        )
    fields.check_types(rules.KEY_TYPES)
    refuse_relatives(fields)
    image_size, patch_size = rules.image_and_patch(fields)
    side = image_size // patch_size
    width, heads = rules.width_and_heads(fields)
    feed_forward = rules.feed_forward(fields, width)
    layers = fields.count("clip.vision.block_count")
    fields.need("clip.vision.projection_dim", int)  # read by the loader, used by nothing
    pinpoints = rules.pinpoints(fields, image_size)
    unpad = rules.unpad(fields)
    sizes = {"C": 3, "D": width, "F": feed_forward, "P": patch_size, "R": side * side + 1}
    found = read_tensors(fields.file, layers, sizes)
    if unpad and pinpoints and not found.newline_name:
        fields.fail(
            "clip.vision.mm_patch_merge_type", f"is 'spatial_unpad', but no tensor {' or '.join(NEWLINES)}"
        )
    return MmprojInfo(
        path=fields.file.path,
        name=fields.get("general.name", str),
        image_size=image_size,
        patch_size=patch_size,
        side=side,
        tokens=side * side,
        width=width,
        feed_forward=feed_forward,
        heads=heads,
        layers=layers,
        feature_layer=rules.feature_layer(fields, layers, width),
        eps=rules.eps(fields),
        text_width=found.text_width,
        mean=rules.colour(fields, "clip.vision.image_mean", positive=False),
        std=rules.colour(fields, "clip.vision.image_std", positive=True),
        pinpoints=pinpoints,
        unpad=unpad,
        newline_name=found.newline_name,
        use_gelu=rules.use_gelu(fields),
        swapped_ffn=found.swapped_ffn,
        file_type=fields.file.weight_type,
        parameters=fields.file.parameters,
        fingerprint=fingerprint(fields.file),
    )
