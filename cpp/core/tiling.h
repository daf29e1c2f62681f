// How one picture becomes partitions: the full image, and the tiles of a padded canvas.
// Mirrors Hugging Face transformers: image_processing_llava_next.py (canvas, fitted size, padding)
// and modeling_llava_next.py (unpad_image, pack_image_features).
#pragma once

#include <span>
#include <vector>

#include "core/types.h"

namespace hired {

/// Partition 0 is the whole picture squashed to tile x tile pixels; partitions 1.. are the canvas's tiles in
/// raster order. The canvas holds the picture, resized to `fitted`, at `offset`; the rest is padding.
/// The tiles' tokens, stitched, are the mosaic: grid.rows * side by grid.cols * side tokens.
struct Tiling {
    Size image{};
    Grid grid{};      // 0 x 0 for a single partition (LLaVA-1.5)
    Size canvas{};    // one tile for a single partition
    Size fitted{};    // what the picture measures on the canvas
    Offset offset{};  // where it lies there
    int tile = 0;     // pixels along an edge
    int patch = 0;    // pixels along an edge
    int side = 0;     // tokens along a tile's edge
    int partitions = 1;
    int tokens = 0;     // of one partition
    bool unpad = true;  // false: "flat" patch merge, where padding stays and tiles are not stitched
    int row_begin = 0;  // mosaic rows [row_begin, row_end) and columns [col_begin, col_end)
    int row_end = 0;    // are the picture, the others are padding
    int col_begin = 0;
    int col_end = 0;

    int rows() const { return grid.rows * side; }
    int cols() const { return grid.cols * side; }
    int total() const { return partitions * tokens; }

    /// Both indices must be in range.
    bool is_padding(int partition, int token) const;

    /// Tokens of the partition that are not padding.
    int capacity(int partition) const;
};

/// `pinpoints` are the canvases to choose from; none means LLaVA-1.5. `tile` and `patch` in pixels.
/// Throws InputError: sizes below 1, tile no multiple of patch, a pinpoint no multiple of tile.
Tiling make_tiling(Size image, std::span<const Size> pinpoints, int tile, int patch, bool unpad);

std::vector<int> capacities(const Tiling& tiling);

/// The same partitions stitched with the grid's rows and columns swapped, and unpadded as such: the layout
/// that the released HiRED code packs with. For pack_order only: canvas, fitted and offset stay as they were.
Tiling transposed(const Tiling& tiling);

}  // namespace hired
