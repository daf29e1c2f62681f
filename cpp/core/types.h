// Sizes in the order that images and arrays have: height before width, rows before columns.
#pragma once

namespace hired {

/// Pixels.
struct Size {
    int height = 0;
    int width = 0;
};

/// Tiles.
struct Grid {
    int rows = 0;
    int cols = 0;
};

/// Pixels from the upper left corner.
struct Offset {
    int top = 0;
    int left = 0;
};

}  // namespace hired
