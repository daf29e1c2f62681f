#include "kernels/q4_avx512.h"

// Many rows of x: weights are unpacked once for all rows, a panel of 32 columns at a time.

namespace hired {
namespace {

constexpr int kTileRows = 7;
constexpr int kPanelBlocks = 128;  // a panel is 144 KiB and stays in the L2 cache
constexpr int kFewRows = 4;        // up to here unpacking does not pay

// Four bytes, in every lane.
__m512i four_values(const std::int8_t* p) {
    std::int32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return _mm512_set1_epi32(four);
}

struct Panel {
    alignas(64) std::uint8_t values[kPanelBlocks * 1024];  // [block, 8 places, 32 columns, 4 values]
    alignas(64) float scales[kPanelBlocks * kQ4Columns];   // [block, column]
};

// A block of 16 columns: the first, second, ... four bytes of each column become a vector. The two rounds of
// unpacking put columns in order that were loaded as 0 4 8 12, 1 5 9 13, ...
void unpack16(const Q4* w, std::size_t stride, std::uint8_t* to) {
    __m512i v[4];
    HIRED_UNROLL
    for (int i = 0; i < 4; ++i) {
        v[i] = gather16(w[i * stride].pairs, w[(i + 4) * stride].pairs, w[(i + 8) * stride].pairs,
                        w[(i + 12) * stride].pairs);
    }
    const __m512i a = _mm512_unpacklo_epi32(v[0], v[1]);
    const __m512i b = _mm512_unpacklo_epi32(v[2], v[3]);
    const __m512i c = _mm512_unpackhi_epi32(v[0], v[1]);
    const __m512i d = _mm512_unpackhi_epi32(v[2], v[3]);
    const __m512i places[4] = {_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b),
                               _mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d)};
    HIRED_UNROLL
    for (int k = 0; k < 4; ++k) {
        _mm512_store_si512(to + k * 128, low_halves(places[k]));
        _mm512_store_si512(to + (k + 4) * 128, high_halves(places[k]));
    }
}

void unpack(const Q4* w, std::size_t stride, int blocks, Panel& panel) {
    for (int b = 0; b < blocks; ++b) {
        unpack16(w + b, stride, panel.values + b * 1024);
        unpack16(w + b + 16 * stride, stride, panel.values + b * 1024 + 64);
        alignas(64) std::uint16_t scales[kQ4Columns];
        for (int c = 0; c < kQ4Columns; ++c) scales[c] = w[b + c * stride].scale;
        for (int h = 0; h < kQ4Columns; h += 16) {
            const __m256i half = _mm256_load_si256(reinterpret_cast<const __m256i*>(scales + h));
            _mm512_store_ps(panel.scales + b * kQ4Columns + h, _mm512_cvtph_ps(half));
        }
    }
}

template <int Rows>
void tile(const Panel& panel, const Row* x, int first, int blocks, float* y, std::size_t stride) {
    __m512 total[Rows][2];
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        for (int h = 0; h < 2; ++h) {
            total[i][h] = first ? _mm512_loadu_ps(y + i * stride + 16 * h) : _mm512_setzero_ps();
        }
    }
    for (int b = 0; b < blocks; ++b) {
        const std::uint8_t* w = panel.values + b * 1024;
        const std::size_t at = place(first + b);
        __m512i sum[Rows][2];
        HIRED_UNROLL
        for (int i = 0; i < Rows; ++i) {
            sum[i][0] = _mm512_set1_epi32(x[i].sums[first + b]);
            sum[i][1] = sum[i][0];
        }
        HIRED_UNROLL
        for (int k = 0; k < 8; ++k) {
            const __m512i w0 = _mm512_load_si512(w + k * 128);
            const __m512i w1 = _mm512_load_si512(w + k * 128 + 64);
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                const __m512i v = four_values(x[i].values + at + (k < 4 ? 4 * k : 48 + 4 * k));
                sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], w0, v);
                sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], w1, v);
            }
        }
        HIRED_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const __m512 scale = _mm512_set1_ps(x[i].scales[first + b]);
            for (int h = 0; h < 2; ++h) {
                const __m512 product = _mm512_mul_ps(scale, _mm512_load_ps(panel.scales + b * 32 + 16 * h));
                total[i][h] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[i][h]), product, total[i][h]);
            }
        }
    }
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        _mm512_storeu_ps(y + i * stride, total[i][0]);
        _mm512_storeu_ps(y + i * stride + 16, total[i][1]);
    }
}

using Tile = void (*)(const Panel&, const Row*, int, int, float*, std::size_t);
constexpr Tile kTiles[kTileRows] = {tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>, tile<7>};

void multiply_panel(const Q4Product& p, const Panel& panel, int column, int first, int blocks) {
    for (int i = 0; i < p.rows; i += kTileRows) {
        const int rows = least(kTileRows, p.rows - i);
        Row x[kTileRows];
        for (int r = 0; r < rows; ++r) x[r] = row_at(p.q8, i + r, p.depth);
        kTiles[rows - 1](panel, x, first, blocks, p.y + i * p.y_stride + column, p.y_stride);
    }
}

thread_local Workspace panels;

}  // namespace

void multiply_q4(const Q4Product& p, int thread, int threads) {
    const long long units = p.columns / kQ4Columns;
    const int start = static_cast<int>(units * thread / threads) * kQ4Columns;
    const int end = static_cast<int>(units * (thread + 1) / threads) * kQ4Columns;
    if (p.rows <= kFewRows) return multiply_few_rows(p, start, end);
    auto& panel = *static_cast<Panel*>(panels.bytes(sizeof(Panel)));
    const int blocks = p.depth / kQ4Block;
    for (int first = 0; first < blocks; first += kPanelBlocks) {
        const int some = least(kPanelBlocks, blocks - first);
        for (int n = start; n < end; n += kQ4Columns) {
            unpack(static_cast<const Q4*>(p.w) + static_cast<std::size_t>(n) * blocks + first, blocks, some,
                   panel);
            multiply_panel(p, panel, n, first, some);
        }
    }
}

}  // namespace hired
