#include "kernels/avx512.h"
#include "kernels/product.h"

namespace hired::avx512 {
namespace {

// A tile of y stays in registers: 14 x 2 vectors, two of weights, one of x. A panel of weights (32 KiB) stays
// in the L1 cache, a block of x (588 KiB) in the L2 cache.
constexpr int kTileRows = 14;
constexpr int kTileColumns = 32;
constexpr int kDepth = 256;
constexpr int kBlockRows = 42 * kTileRows;
constexpr int kBlockColumns = 1024;

struct Block {
    int row, rows;
    int column, columns;
    int start, depth;
};

// Rows of 16 values become columns of 16.
void transpose(__m512 (&r)[16]) {
    __m512 t[16];
    HIRED_UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    HIRED_UNROLL
    for (int i = 0; i < 16; i += 4) {
        for (int h = 0; h < 2; ++h) {
            const __m512d a = _mm512_castps_pd(t[i + h]);
            const __m512d b = _mm512_castps_pd(t[i + h + 2]);
            r[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            r[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    }
    HIRED_UNROLL
    for (int i = 0; i < 4; ++i) {
        const __m512 a = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        const __m512 b = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        const __m512 c = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        const __m512 d = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_f32x4(a, b, 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(c, d, 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(a, b, 0xdd);
        t[i + 12] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
    HIRED_UNROLL
    for (int i = 0; i < 16; ++i) r[i] = t[i];
}

__m512 load(const float* p, __mmask16 m) {
    return _mm512_maskz_loadu_ps(m, p);
}

__m512 load(const std::uint16_t* p, __mmask16 m) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, p));
}

// to[k * stride + r] = from[r * from_stride + k] for `width` values of r; 0 from `rows` on.
template <typename T>
void pack(const T* from, std::size_t from_stride, int rows, int depth, float* to, int stride, int width) {
    for (int k = 0; k < depth; k += 16) {
        const __mmask16 m = lanes(depth - k);
        __m512 v[16];
        for (int r = 0; r < 16; ++r) {
            v[r] = r < rows ? load(from + r * from_stride + k, m) : _mm512_setzero_ps();
        }
        transpose(v);
        for (int i = 0; i < least(16, depth - k); ++i) {
            _mm512_mask_storeu_ps(to + static_cast<std::size_t>(k + i) * stride, lanes(width), v[i]);
        }
    }
}

template <typename T>
void pack_panel(const T* w, std::size_t stride, int columns, int depth, float* to) {
    pack(w, stride, columns, depth, to, kTileColumns, 16);
    pack(w + 16 * stride, stride, columns - 16, depth, to + 16, kTileColumns, 16);
}

void copy_panel(const float* w, std::size_t stride, int columns, int depth, float* to) {
    for (int k = 0; k < depth; ++k) {
        const float* row = w + k * stride;
        _mm512_store_ps(to + k * kTileColumns, load(row, lanes(columns)));
        _mm512_store_ps(to + k * kTileColumns + 16, load(row + 16, lanes(columns - 16)));
    }
}

// [columns / 32, depth, 32]
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

// [rows / 14, depth, 14]
void pack_rows(const Product& p, const Block& b, float* to) {
    for (int i = 0; i < b.rows; i += kTileRows, to += static_cast<std::size_t>(b.depth) * kTileRows) {
        pack(p.x + (b.row + i) * p.x_stride + b.start, p.x_stride, least(kTileRows, b.rows - i), b.depth, to,
             kTileRows, kTileRows);
    }
}

template <int Rows>
void tile(const float* x, const float* w, int depth, bool add, float* y, std::size_t stride, int columns) {
    __m512 sum[Rows][2];
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        sum[i][0] = _mm512_setzero_ps();
        sum[i][1] = _mm512_setzero_ps();
    }
    for (int k = 0; k < depth; ++k) {
        const __m512 w0 = _mm512_load_ps(w + k * kTileColumns);
        const __m512 w1 = _mm512_load_ps(w + k * kTileColumns + 16);
        HIRED_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const __m512 v = _mm512_set1_ps(x[k * kTileRows + i]);
            sum[i][0] = _mm512_fmadd_ps(v, w0, sum[i][0]);
            sum[i][1] = _mm512_fmadd_ps(v, w1, sum[i][1]);
        }
    }
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        for (int h = 0; h < 2; ++h) {
            float* to = y + i * stride + 16 * h;
            const __mmask16 m = lanes(columns - 16 * h);
            if (add) sum[i][h] = _mm512_add_ps(sum[i][h], _mm512_maskz_loadu_ps(m, to));
            _mm512_mask_storeu_ps(to, m, sum[i][h]);
        }
    }
}

using Tile = void (*)(const float*, const float*, int, bool, float*, std::size_t, int);
constexpr Tile kTiles[kTileRows] = {tile<1>, tile<2>, tile<3>,  tile<4>,  tile<5>,  tile<6>,  tile<7>,
                                    tile<8>, tile<9>, tile<10>, tile<11>, tile<12>, tile<13>, tile<14>};

void multiply_packed(const Product& p, const Block& b, const float* x, const float* w) {
    for (int j = 0; j < b.columns; j += kTileColumns) {
        for (int i = 0; i < b.rows; i += kTileRows) {
            kTiles[least(kTileRows, b.rows - i) - 1](
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

}  // namespace

void multiply(const Product& p, int thread, int threads) {
    const int parts = column_parts(p, threads);
    const Range columns = share(p.columns, kTileColumns, thread % parts, parts);
    const Range rows = share(p.rows, kTileRows, thread / parts, threads / parts);
    float* x = packed_rows.floats(static_cast<std::size_t>(kBlockRows) * kDepth);
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

}  // namespace hired::avx512
