// Tilings that the tests share: 8-pixel tiles of 2 x 2 tokens, small enough to count by hand.
#pragma once

#include <array>
#include <vector>

#include "core/tiling.h"

using Ints = std::vector<int>;
using Doubles = std::vector<double>;

inline constexpr std::array<hired::Size, 5> kLlavaNext{
    {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}}};

inline hired::Tiling llava_next_tiling(hired::Size image, bool unpad = true) {
    return hired::make_tiling(image, kLlavaNext, 336, 14, unpad);
}

/// A canvas of rows x cols tiles with 2 x 2 tokens each.
inline hired::Tiling small_tiling(hired::Size image, hired::Grid grid, bool unpad = true) {
    const std::array<hired::Size, 1> canvas{{{grid.rows * 8, grid.cols * 8}}};
    return hired::make_tiling(image, canvas, 8, 4, unpad);
}

inline hired::Tiling single_tiling() {
    return hired::make_tiling({10, 20}, {}, 8, 4, true);
}
