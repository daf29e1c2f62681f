#include <cstdint>

#include "avx512.h"
#include "q4.h"

namespace hired {

namespace {

struct Q4 {
    std::uint16_t scale;
    std::uint8_t pairs[16];
};
static_assert(sizeof(Q4) == kQ4BlockBytes);

constexpr int kGroup = 4;  // blocks whose low halves, or high halves, fill a vector
constexpr int kUnit = 8;   // blocks of a row are padded to a multiple of this, with zeros
constexpr std::size_t kBytesPerBlock = 32 + 16 + 4 + 4;

// A row of x: of each group of 4 blocks the first 16 values of each, then the last 16 of each.
struct Row {
    std::int8_t* values;  // 128 a group
    std::int32_t* lanes;  // 16 a group: -8 * the sum of the 8 values that meet in a 32-bit lane
    std::int32_t* sums;   // a block: -8 * the sum of its values
    float* scales;        // a block
};

int padded_blocks(int depth) {
    return (depth / kQ4Block + kUnit - 1) / kUnit * kUnit;
}

Row row_at(const void* q8, int row, int depth) {
    const std::size_t blocks = padded_blocks(depth);
    auto* base = static_cast<std::int8_t*>(const_cast<void*>(q8)) + row * blocks * kBytesPerBlock;
    return {base, reinterpret_cast<std::int32_t*>(base + 32 * blocks),
            reinterpret_cast<std::int32_t*>(base + 48 * blocks),
            reinterpret_cast<float*>(base + 52 * blocks)};
}

// Where the first values of a block are; the last are 64 bytes further.
std::size_t place(int block) {
    return static_cast<std::size_t>(block) / kGroup * 128 + block % kGroup * 16;
}

float round_to_half(float v) {
    return _cvtsh_ss(_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT));
}

// 16 values as bytes; minus 8 times the sum of each 4 is added to `lanes`.
void store_values(__m512 x, float factor, std::int8_t* to, __m128i& lanes) {
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x, _mm512_set1_ps(factor))));
    _mm_store_si128(reinterpret_cast<__m128i*>(to), bytes);
    lanes = _mm_dpbusd_epi32(lanes, _mm_set1_epi8(8), bytes);
}

void quantize_block(const float* x, const Row& row, int block) {
    const __m512 first = _mm512_loadu_ps(x);
    const __m512 last = _mm512_loadu_ps(x + 16);
    const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(first), _mm512_abs_ps(last)));
    const float factor = largest > 0 ? 127.0f / largest : 0.0f;
    __m128i eights = _mm_setzero_si128();
    store_values(first, factor, row.values + place(block), eights);
    store_values(last, factor, row.values + place(block) + 64, eights);
    const __m128i lanes = _mm_sub_epi32(_mm_setzero_si128(), eights);
    _mm_store_si128(reinterpret_cast<__m128i*>(row.lanes + 4 * block), lanes);
    const __m128i pairs = _mm_add_epi32(lanes, _mm_shuffle_epi32(lanes, 0x4e));
    row.sums[block] = _mm_cvtsi128_si32(_mm_add_epi32(pairs, _mm_shuffle_epi32(pairs, 0xb1)));
    row.scales[block] = round_to_half(largest / 127.0f);
}

void zero_block(const Row& row, int block) {
    _mm_store_si128(reinterpret_cast<__m128i*>(row.values + place(block)), _mm_setzero_si128());
    _mm_store_si128(reinterpret_cast<__m128i*>(row.values + place(block) + 64), _mm_setzero_si128());
    _mm_store_si128(reinterpret_cast<__m128i*>(row.lanes + 4 * block), _mm_setzero_si128());
    row.sums[block] = 0;
    row.scales[block] = 0;
}

__m128i load16(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}

// Bytes 0 to 15 of four places.
__m512i gather16(const void* a, const void* b, const void* c, const void* d) {
    __m512i v = _mm512_castsi128_si512(load16(a));
    v = _mm512_inserti32x4(v, load16(b), 1);
    v = _mm512_inserti32x4(v, load16(c), 2);
    return _mm512_inserti32x4(v, load16(d), 3);
}

// Four bytes, in every lane.
__m512i four_values(const std::int8_t* p) {
    std::int32_t four;
    __builtin_memcpy(&four, p, sizeof(four));
    return _mm512_set1_epi32(four);
}

__m512i low_halves(__m512i v) {
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

__m512i high_halves(__m512i v) {
    return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
}

// --- a row of x at a time: memory is the limit -------------------------------------------------------------

// Four blocks times their share of x, as 16 sums that still want their scales.
__m512 group_sums(const Q4* w, const std::int8_t* x, const std::int32_t* lanes) {
    const __m512i pairs = gather16(w[0].pairs, w[1].pairs, w[2].pairs, w[3].pairs);
    __m512i sum = _mm512_load_si512(lanes);
    sum = _mm512_dpbusd_epi32(sum, low_halves(pairs), _mm512_load_si512(x));
    sum = _mm512_dpbusd_epi32(sum, high_halves(pairs), _mm512_load_si512(x + 64));
    return _mm512_cvtepi32_ps(sum);
}

// The scales of eight blocks are words 0, 9, ... 63 of the 72 that they take.
__m256 scales_of_eight(const Q4* w) {
    const __m512i words = _mm512_castsi128_si512(_mm_set_epi16(63, 54, 45, 36, 27, 18, 9, 0));
    const char* p = reinterpret_cast<const char*>(w);
    const __m512i v = _mm512_permutex2var_epi16(_mm512_loadu_si512(p), words, _mm512_loadu_si512(p + 64));
    return _mm256_cvtph_ps(_mm512_castsi512_si128(v));
}

__m512 add_eight(const Q4* w, const Row& x, int block, __m512 total) {
    const __m512i first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i last = _mm512_set_epi32(7, 7, 7, 7, 6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4);
    const __m512 scales =
        _mm512_castps256_ps512(_mm256_mul_ps(scales_of_eight(w), _mm256_load_ps(x.scales + block)));
    const std::int8_t* values = x.values + place(block);
    const std::int32_t* lanes = x.lanes + 4 * block;
    total = _mm512_fmadd_ps(group_sums(w, values, lanes), _mm512_permutexvar_ps(first, scales), total);
    return _mm512_fmadd_ps(group_sums(w + kGroup, values + 128, lanes + 16),
                           _mm512_permutexvar_ps(last, scales), total);
}

float dot(const Q4* w, const Row& x, int blocks) {
    __m512 total = _mm512_setzero_ps();
    int b = 0;
    for (; b + kUnit <= blocks; b += kUnit) total = add_eight(w + b, x, b, total);
    if (b < blocks) {
        Q4 rest[kUnit] = {};
        for (int i = 0; b + i < blocks; i++) rest[i] = w[b + i];
        total = add_eight(rest, x, b, total);
    }
    return _mm512_reduce_add_ps(total);
}

void multiply_rows(const Q4Product& p, int first, int last) {
    const int blocks = p.depth / kQ4Block;
    for (int n = first; n < last; n++) {
        const Q4* w = static_cast<const Q4*>(p.w) + static_cast<std::size_t>(n) * blocks;
        for (int i = 0; i < p.rows; i++) p.y[i * p.y_stride + n] = dot(w, row_at(p.q8, i, p.depth), blocks);
    }
}

// --- many rows: weights are unpacked once for all, a panel of 32 columns at a time
// ---------------------------

constexpr int kTileRows = 7;
constexpr int kPanelBlocks = 128;  // a panel is 144 KiB and stays in the L2 cache
constexpr int kFewRows = 4;        // up to here unpacking does not pay

struct Panel {
    alignas(64) std::uint8_t values[kPanelBlocks * 1024];  // [block, 8 places, 32 columns, 4 values]
    alignas(64) float scales[kPanelBlocks * kQ4Columns];   // [block, column]
};

// A block of 16 columns: the first, second, ... four bytes of each column become a vector. The two rounds of
// unpacking put columns in order that were loaded as 0 4 8 12, 1 5 9 13, ...
void unpack16(const Q4* w, std::size_t stride, std::uint8_t* to) {
    __m512i v[4];
    HIRED_UNROLL
    for (int i = 0; i < 4; i++) {
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
    for (int k = 0; k < 4; k++) {
        _mm512_store_si512(to + k * 128, low_halves(places[k]));
        _mm512_store_si512(to + (k + 4) * 128, high_halves(places[k]));
    }
}

void unpack(const Q4* w, std::size_t stride, int blocks, Panel& panel) {
    for (int b = 0; b < blocks; b++) {
        unpack16(w + b, stride, panel.values + b * 1024);
        unpack16(w + b + 16 * stride, stride, panel.values + b * 1024 + 64);
        alignas(64) std::uint16_t scales[kQ4Columns];
        for (int c = 0; c < kQ4Columns; c++) scales[c] = w[b + c * stride].scale;
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
    for (int i = 0; i < Rows; i++) {
        for (int h = 0; h < 2; h++) {
            total[i][h] = first ? _mm512_loadu_ps(y + i * stride + 16 * h) : _mm512_setzero_ps();
        }
    }
    for (int b = 0; b < blocks; b++) {
        const std::uint8_t* w = panel.values + b * 1024;
        const std::size_t at = place(first + b);
        __m512i sum[Rows][2];
        HIRED_UNROLL
        for (int i = 0; i < Rows; i++) sum[i][0] = sum[i][1] = _mm512_set1_epi32(x[i].sums[first + b]);
        HIRED_UNROLL
        for (int k = 0; k < 8; k++) {
            const __m512i w0 = _mm512_load_si512(w + k * 128);
            const __m512i w1 = _mm512_load_si512(w + k * 128 + 64);
            HIRED_UNROLL
            for (int i = 0; i < Rows; i++) {
                const __m512i v = four_values(x[i].values + at + (k < 4 ? 4 * k : 48 + 4 * k));
                sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], w0, v);
                sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], w1, v);
            }
        }
        HIRED_UNROLL
        for (int i = 0; i < Rows; i++) {
            const __m512 scale = _mm512_set1_ps(x[i].scales[first + b]);
            for (int h = 0; h < 2; h++) {
                const __m512 product = _mm512_mul_ps(scale, _mm512_load_ps(panel.scales + b * 32 + 16 * h));
                total[i][h] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[i][h]), product, total[i][h]);
            }
        }
    }
    HIRED_UNROLL
    for (int i = 0; i < Rows; i++) {
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
        for (int r = 0; r < rows; r++) x[r] = row_at(p.q8, i + r, p.depth);
        kTiles[rows - 1](panel, x, first, blocks, p.y + i * p.y_stride + column, p.y_stride);
    }
}

thread_local Workspace panels;

}  // namespace

std::size_t q8_row_bytes(int depth) {
    return padded_blocks(depth) * kBytesPerBlock;
}

void quantize_q8(const float* x, std::size_t x_stride, int rows, int depth, void* q8, int thread,
                 int threads) {
    const int blocks = depth / kQ4Block;
    for (int i = thread; i < rows; i += threads) {
        const Row row = row_at(q8, i, depth);
        for (int b = 0; b < blocks; b++) quantize_block(x + i * x_stride + b * kQ4Block, row, b);
        for (int b = blocks; b < padded_blocks(depth); b++) zero_block(row, b);
    }
}

void multiply_q4(const Q4Product& p, int thread, int threads) {
    const long long units = p.columns / kQ4Columns;
    const int start = static_cast<int>(units * thread / threads) * kQ4Columns;
    const int end = static_cast<int>(units * (thread + 1) / threads) * kQ4Columns;
    if (p.rows <= kFewRows) return multiply_rows(p, start, end);
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
