#include "core/tiling.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "core/error.h"

namespace hired {
namespace {

void require(bool holds, const std::string& message) {
    if (!holds) throw InputError("[tiling] " + message);
}

std::int64_t area(Size size) {
    return std::int64_t{size.height} * size.width;
}

double aspect(int height, int width) {
    return static_cast<double>(width) / height;
}

// The scale that fits each axis of the picture to the canvas.
std::pair<double, double> scales(Size image, Size canvas) {
    return {static_cast<double>(canvas.height) / image.height,
            static_cast<double>(canvas.width) / image.width};
}

// The canvas that keeps most of the picture's pixels; then the one that wastes fewest; then the first.
Size best_canvas(Size image, std::span<const Size> pinpoints) {
    Size best;
    std::pair<std::int64_t, std::int64_t> best_score{-1, 0};
    for (const Size canvas : pinpoints) {
        const auto [scale_h, scale_w] = scales(image, canvas);
        const double scale = std::min(scale_w, scale_h);
        const auto height = static_cast<std::int64_t>(image.height * scale);
        const auto width = static_cast<std::int64_t>(image.width * scale);
        const std::int64_t effective = std::min(height * width, area(image));
        const std::pair score{effective, effective - area(canvas)};
        if (score > best_score) {
            best_score = score;
            best = canvas;
        }
    }
    return best;
}

Size fit(Size image, Size canvas) {
    const auto [scale_h, scale_w] = scales(image, canvas);
    Size fitted = canvas;
    if (scale_w < scale_h) {
        fitted.height = std::min(static_cast<int>(std::ceil(image.height * scale_w)), canvas.height);
    } else {
        fitted.width = std::min(static_cast<int>(std::ceil(image.width * scale_h)), canvas.width);
    }
    return fitted;
}

// int(round(length, 7)): equals Python's for pictures under 20 million pixels a side.
int truncate(double length) {
    return static_cast<int>(std::floor(length + 0.5e-7));
}

// Finds the mosaic rows or columns that hold the picture. A picture too thin for one token leaves none.
void find_picture(Tiling& t) {
    int row_padding = 0, col_padding = 0;
    if (t.unpad && t.partitions > 1) {
        const auto [height, width] = t.image;
        if (aspect(height, width) > aspect(t.rows(), t.cols())) {
            row_padding = (t.rows() - truncate(height * (static_cast<double>(t.cols()) / width))) / 2;
        } else {
            col_padding = (t.cols() - truncate(width * (static_cast<double>(t.rows()) / height))) / 2;
        }
    }
    t.row_begin = row_padding;
    t.row_end = t.rows() - row_padding;
    t.col_begin = col_padding;
    t.col_end = t.cols() - col_padding;
}

int overlap(int begin, int end, int low, int high) {
    return std::max(0, std::min(end, high) - std::max(begin, low));
}

void check(Size image, std::span<const Size> pinpoints, int tile, int patch) {
    require(image.height > 0 && image.width > 0,
            text("image_size_hw is ", image.height, " x ", image.width, "; both must be at least 1"));
    require(patch > 0, text("patch is ", patch, " pixels; it must be at least 1"));
    require(tile > 0 && tile % patch == 0,
            text("tile is ", tile, " pixels; it must be a positive multiple of the patch, ", patch));
    const std::int64_t tokens = std::int64_t{tile / patch} * (tile / patch);
    require(
        tokens <= std::numeric_limits<int>::max(),
        text("tile is ", tile, " pixels; at most 46340 patches of ", patch, " are allowed along an edge"));
    for (const Size p : pinpoints) {
        require(
            p.height > 0 && p.width > 0 && p.height % tile == 0 && p.width % tile == 0,
            text("pinpoint ", p.height, " x ", p.width, " must be positive multiples of the tile, ", tile));
        const std::int64_t partitions = 1 + std::int64_t{p.height / tile} * (p.width / tile);
        require(partitions <= std::numeric_limits<int>::max() / tokens,
                text("pinpoint ", p.height, " x ", p.width, " has more than 2147483647 visual tokens"));
    }
}

}  // namespace

bool Tiling::is_padding(int partition, int token) const {
    if (partition == 0) return false;
    const int row = (partition - 1) / grid.cols * side + token / side;
    const int col = (partition - 1) % grid.cols * side + token % side;
    return row < row_begin || row >= row_end || col < col_begin || col >= col_end;
}

int Tiling::capacity(int partition) const {
    if (partition == 0) return tokens;
    const int row = (partition - 1) / grid.cols * side;
    const int col = (partition - 1) % grid.cols * side;
    return overlap(row, row + side, row_begin, row_end) * overlap(col, col + side, col_begin, col_end);
}

Tiling make_tiling(Size image, std::span<const Size> pinpoints, int tile, int patch, bool unpad) {
    check(image, pinpoints, tile, patch);
    Tiling t{.image = image, .tile = tile, .patch = patch, .side = tile / patch, .unpad = unpad};
    t.tokens = t.side * t.side;
    t.canvas = {.height = tile, .width = tile};
    t.fitted = t.canvas;
    if (!pinpoints.empty()) {
        t.canvas = best_canvas(image, pinpoints);
        t.fitted = fit(image, t.canvas);
        t.offset = {.top = (t.canvas.height - t.fitted.height) / 2,
                    .left = (t.canvas.width - t.fitted.width) / 2};
        t.grid = {.rows = t.canvas.height / tile, .cols = t.canvas.width / tile};
    }
    t.partitions = 1 + t.grid.rows * t.grid.cols;
    find_picture(t);
    return t;
}

std::vector<int> capacities(const Tiling& tiling) {
    std::vector<int> room(tiling.partitions);
    for (int p = 0; p < tiling.partitions; ++p) room[p] = tiling.capacity(p);
    return room;
}

Tiling transposed(const Tiling& tiling) {
    Tiling t = tiling;
    std::swap(t.grid.rows, t.grid.cols);
    find_picture(t);
    return t;
}

}  // namespace hired
