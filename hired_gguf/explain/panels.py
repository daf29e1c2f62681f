"""The panels of a drawing, each a PIL image: attention in colours, and what stays."""

from __future__ import annotations

from PIL import Image

from ..errors import InputError
from ..images.load import MAX_PIXELS, load_image
from ..images.sources import ImageSource
from ..selection.policies import ALLOCATIONS
from ..selection.selection import Selection
from .counts import partition_counts, partition_names
from .labels import Region, band_regions, draw_regions, picture_regions, tile_regions
from .panel_pictures import canvas_picture, full_picture
from .raster import full_raster, mosaic_raster
from .shade import heat, kept_patches, strengths


def require_picture(selection: Selection, image: ImageSource) -> Image.Image:
    """The picture of a selection. Raises InputError for one of another size, ImageError."""
    expected = tuple(selection.tiling.image_size_hw)
    picture = load_image(image, max_pixels=max(MAX_PIXELS, expected[0] * expected[1]))
    if (picture.height, picture.width) != expected:
        raise InputError(
            f"[overlay] the picture is {picture.height} x {picture.width} (height x width); "
            f"the selection was made for {expected[0]} x {expected[1]}"
        )
    return picture


def what_allotted(selection: Selection, picture: Image.Image) -> Image.Image:
    """The attention on the full image that shares went by, with what each tile got for its region of it."""
    tiling = selection.tiling
    last = ALLOCATIONS[selection.config.allocation].layer == "last"
    attention = selection.attention_last if last else selection.attention_first
    values = full_raster(strengths(attention, selection.padding), tiling)
    panel = heat(full_picture(picture, tiling), values, full_raster(selection.padding, tiling))
    return draw_regions(panel, _sources(selection))


def _sources(selection: Selection) -> list[Region]:
    """The region that each tile's share comes from; none if attention has no say in it."""
    if not ALLOCATIONS[selection.config.allocation].layer or selection.tiling.partitions == 1:
        return []
    words = [f"{count.name}: {count.allotted}" for count in partition_counts(selection)[1:]]
    official = selection.config.allocation == "official"
    return band_regions(words) if official else picture_regions(selection.tiling, words)


def what_chose(selection: Selection, picture: Image.Image) -> list[Image.Image]:
    """What the selection found each token worth: the full image, and the tiles if there are any."""
    tiling = selection.tiling
    values = strengths(selection.worth, selection.padding)
    full = heat(
        full_picture(picture, tiling), full_raster(values, tiling), full_raster(selection.padding, tiling)
    )
    if tiling.partitions == 1:
        return _labelled(selection, [full], partition_names(tiling))
    padding = mosaic_raster(selection.padding, tiling)
    tiles = heat(canvas_picture(picture, tiling), mosaic_raster(values, tiling), padding)
    return _labelled(selection, [full, tiles], partition_names(tiling))


def kept_panels(selection: Selection, picture: Image.Image) -> list[Image.Image]:
    """What stays, without labels: the full image, and the tiles if there are any."""
    tiling, packed, padding = selection.tiling, selection.packed, selection.padding
    full = kept_patches(
        full_picture(picture, tiling), full_raster(packed, tiling), full_raster(padding, tiling)
    )
    if tiling.partitions == 1:
        return [full]
    canvas = canvas_picture(picture, tiling)
    return [full, kept_patches(canvas, mosaic_raster(packed, tiling), mosaic_raster(padding, tiling))]


def what_stays(selection: Selection, picture: Image.Image) -> list[Image.Image]:
    """`kept_panels` with the counts on them."""
    words = [f"{count.name}: {count.kept}" for count in partition_counts(selection)]
    return _labelled(selection, kept_panels(selection, picture), words)


def _labelled(selection: Selection, panels: list[Image.Image], words: list[str]) -> list[Image.Image]:
    regions = [[Region(0, 0, 1, 1, words[0])], tile_regions(selection.tiling, words[1:])]
    return [draw_regions(panel, named) for panel, named in zip(panels, regions, strict=False)]
