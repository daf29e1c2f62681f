// The matrix product on the vectors of the header that is included before this one (avx512.h, avx2.h), for
// one file an instruction set. See workspace.h for the anonymous namespace.
#pragma once

#include "kernels/product.h"
#include "kernels/workspace.h"

namespace hired {
namespace {

constexpr int kTileColumns = 2 * kLanes;
constexpr int kBlockRows = kBlockTiles * kTileRows;
constexpr int kBlockColumns = 1024;
constexpr int kLine = 16;   // floats of a cache line
constexpr int kAhead = 16;  // depths of weights that are fetched from the L2 cache meanwhile

struct Block {
    int row, rows;
    int column, columns;
    int start, depth;
};

// to[k * stride + r] = from[r * from_stride + k] for kLanes values of r; 0 from `rows` on. Where the stride
// is smaller, what is too much of a row is written over by the next.
template <typename T>
void pack(const T* from, std::size_t from_stride, int rows, int depth, float* to, int stride) {
    for (int k = 0; k < depth; k += kLanes) {
        Vector v[kLanes];
        for (int r = 0; r < kLanes; ++r) {
            v[r] = r < rows ? load(from + r * from_stride + k, depth - k) : all(0);
            prefetch(from + (r + kLanes) * from_stride + k);  // a page or so away: the CPU does not guess it
        }
        transpose(v);
        for (int i = 0; i < least(kLanes, depth - k); ++i) {
            store(to + static_cast<std::size_t>(k + i) * stride, v[i]);
        }
    }
}

template <typename T>
void pack_panel(const T* w, std::size_t stride, int columns, int depth, float* to) {
    pack(w, stride, columns, depth, to, kTileColumns);
    pack(w + kLanes * stride, stride, columns - kLanes, depth, to + kLanes, kTileColumns);
}

void copy_panel(const float* w, std::size_t stride, int columns, int depth, float* to) {
    for (int k = 0; k < depth; ++k) {
        const float* row = w + k * stride;
        store(to + k * kTileColumns, load(row, columns));
        store(to + k * kTileColumns + kLanes, load(row + kLanes, columns - kLanes));
    }
}

// [columns / kTileColumns, depth, kTileColumns]
void pack_weights(const Product& p, const Block& b, float* to) {
    for (int j = 0; j < b.columns;
         j += kTileColumns, to += static_cast<std::size_t>(b.depth) * kTileColumns) {
        const int columns = least(kTileColumns, b.columns - j);
        const std::size_t at = (b.column + j) * p.w_stride + b.start;
        switch (p.weights) {
            case Weights::f16:
                pack_panel(static_cast<const std::uint16_t*>(p.w) + at, p.w_stride, columns, b.depth, to);
                break;
            case Weights::f32:
                pack_panel(static_cast<const float*>(p.w) + at, p.w_stride, columns, b.depth, to);
                break;
            case Weights::f32_transposed:
                copy_panel(static_cast<const float*>(p.w) + b.start * p.w_stride + b.column + j, p.w_stride,
                           columns, b.depth, to);
                break;
        }
    }
}

// [rows / kTileRows, depth, kTileRows], and what the last store writes too much
void pack_rows(const Product& p, const Block& b, float* to) {
    for (int i = 0; i < b.rows; i += kTileRows, to += static_cast<std::size_t>(b.depth) * kTileRows) {
        pack(p.x + (b.row + i) * p.x_stride + b.start, p.x_stride, least(kTileRows, b.rows - i), b.depth, to,
             kTileRows);
    }
}

template <int Rows>
void tile(const float* x, const float* w, int depth, bool add_to, float* y, std::size_t stride, int columns) {
    Vector sum[Rows][2];
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        sum[i][0] = all(0);
        sum[i][1] = all(0);
        for (int c = 0; c < kTileColumns; c += kLine) prefetch(y + i * stride + c);  // rows are pages apart
    }
    for (int k = 0; k < depth; ++k) {
        for (int c = 0; c < kTileColumns; c += kLine) prefetch(w + (k + kAhead) * kTileColumns + c);
        const Vector w0 = load(w + k * kTileColumns);
        const Vector w1 = load(w + k * kTileColumns + kLanes);
        HIRED_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const Vector v = all(x[k * kTileRows + i]);
            sum[i][0] = fma(v, w0, sum[i][0]);
            sum[i][1] = fma(v, w1, sum[i][1]);
        }
    }
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        for (int h = 0; h < 2; ++h) {
            float* to = y + i * stride + kLanes * h;
            const int left = columns - kLanes * h;
            store(to, add_to ? add(sum[i][h], load(to, left)) : sum[i][h], left);
        }
    }
}

using Tile = void (*)(const float*, const float*, int, bool, float*, std::size_t, int);

// tile<1> for one row, and so on.
template <int Rows = kTileRows>
Tile tile_of(int rows) {
    if constexpr (Rows > 1) {
        if (rows < Rows) return tile_of<Rows - 1>(rows);
    }
    return tile<Rows>;
}

void multiply_packed(const Product& p, const Block& b, const float* x, const float* w) {
    for (int j = 0; j < b.columns; j += kTileColumns) {
        for (int i = 0; i < b.rows; i += kTileRows) {
            tile_of(least(kTileRows, b.rows - i))(
                x + static_cast<std::size_t>(i) * b.depth, w + static_cast<std::size_t>(j) * b.depth, b.depth,
                b.start > 0, p.y + (b.row + i) * p.y_stride + b.column + j, p.y_stride, b.columns - j);
        }
    }
}

struct Range {
    int first, last;
};

Range share(int n, int unit, int part, int parts) {
    const long long units = (n + unit - 1) / unit;
    const auto edge = [&](int i) { return least(n, static_cast<int>(units * i / parts) * unit); };
    return {.first = edge(part), .last = edge(part + 1)};
}

// Into how many parts the columns are cut; the rows are cut into threads / parts. Each thread packs all it
// reads, so the cut is the one with the fewest rows and columns for a thread.
int column_parts(const Product& p, int threads) {
    int best = 1;
    for (int parts = 1; parts <= threads; ++parts) {
        const auto packed = [&](int c) { return p.columns / c + p.rows / (threads / c); };
        if (threads % parts == 0 && packed(parts) < packed(best)) best = parts;
    }
    return best;
}

thread_local Workspace packed_rows, packed_weights;

void multiply_here(const Product& p, int thread, int threads) {
    const int parts = column_parts(p, threads);
    const Range columns = share(p.columns, kTileColumns, thread % parts, parts);
    const Range rows = share(p.rows, kTileRows, thread / parts, threads / parts);
    float* x = packed_rows.floats(static_cast<std::size_t>(kBlockRows) * kDepth + kLanes);
    float* w = packed_weights.floats(static_cast<std::size_t>(kBlockColumns) * kDepth);
    for (int j = columns.first; j < columns.last; j += kBlockColumns) {
        for (int k = 0; k < p.depth; k += kDepth) {
            Block b{.row = 0,
                    .rows = 0,
                    .column = j,
                    .columns = least(kBlockColumns, columns.last - j),
                    .start = k,
                    .depth = least(kDepth, p.depth - k)};
            pack_weights(p, b, w);
            for (b.row = rows.first; b.row < rows.last; b.row += kBlockRows) {
                b.rows = least(kBlockRows, rows.last - b.row);
                pack_rows(p, b, x);
                multiply_packed(p, b, x, w);
            }
        }
    }
}

}  // namespace
}  // namespace hired
