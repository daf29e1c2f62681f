// Rows of x as 8-bit integers, and where they lie. Included by the files that are compiled for one
// instruction set; see workspace.h.
//
// Rows are kept in tiles of as many rows as the inner loop takes at once. In a tile, four values of each row
// follow each other, then the next four of each: as the loop reads them. A loop that wants 16-bit values gets
// them in pairs: the first and third of four of each row, then the second and fourth of each.
#pragma once

#include "kernels/quantized.h"
#include "kernels/types/types.h"
#include "kernels/workspace.h"

namespace hired {
namespace {

/// One tile. `sums` are what the weights' bias or minimum takes off for each group: as integers -kBias * sum,
/// or as floats -sum.
struct RowTile {
    std::int8_t* values;  // [depth / 4, rows of a tile, 4]
    float* scales;        // [depth / kUnit, rows of a tile]
    std::int32_t* sums;   // [depth / (16 or 32), rows of a tile]
};

/// Values of x that share a scale.
template <class Type>
constexpr int kUnit = Type::kBlock;

/// Values of x whose sum is wanted.
template <class Type>
constexpr int kSummed = Type::kMins ? kPart : Type::kGroup;

template <class Type, int ValueBytes>
std::size_t tile_bytes(int depth, int rows) {
    const std::size_t bytes = depth * ValueBytes + depth / kUnit<Type> * sizeof(float) +
                              depth / kSummed<Type> * sizeof(std::int32_t);
    return (bytes * rows + 63) / 64 * 64;
}

template <class Type, int ValueBytes>
RowTile tile_at(void* quantized, int tile, int depth, int rows) {
    auto* base = static_cast<std::int8_t*>(quantized) + tile * tile_bytes<Type, ValueBytes>(depth, rows);
    auto* scales = reinterpret_cast<float*>(base + static_cast<std::size_t>(depth) * ValueBytes * rows);
    return {.values = base,
            .scales = scales,
            .sums = reinterpret_cast<std::int32_t*>(scales +
                                                    static_cast<std::size_t>(depth / kUnit<Type>) * rows)};
}

inline float largest_of(__m256 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/// The largest absolute value of a unit.
template <class Type>
float largest_in(const float* x) {
    __m256 largest = _mm256_setzero_ps();
    for (int i = 0; i < kUnit<Type>; i += 8) {
        const __m256 v = _mm256_andnot_ps(_mm256_set1_ps(-0.0F), _mm256_loadu_ps(x + i));
        largest = _mm256_max_ps(largest, v);
    }
    return largest_of(largest);
}

/// 32 values as bytes, and the sums of each 4.
inline __m256i quantize_part(const float* x, float factor, __m256i& fours) {
    const __m256 f = _mm256_set1_ps(factor);
    __m256i v[4];
    for (int i = 0; i < 4; ++i) v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), f));
    const __m256i words = _mm256_packs_epi32(v[0], v[1]), more = _mm256_packs_epi32(v[2], v[3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words, more), order);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    return bytes;
}

/// Eight times four bytes, `apart` bytes from one to the next.
inline void store_words(__m256i v, std::int8_t* to, int apart) {
    alignas(32) std::int32_t words[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(words), v);
    for (int i = 0; i < 8; ++i) __builtin_memcpy(to + static_cast<std::size_t>(i) * apart, &words[i], 4);
}

inline int sum_of(__m128i v) {
    v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 0xb1)));
}

template <class Type>
std::int32_t as_sum(int sum) {
    if constexpr (Type::kMins) {
        const float negative = -static_cast<float>(sum);
        std::int32_t bits;
        __builtin_memcpy(&bits, &negative, sizeof(bits));
        return bits;
    } else {
        return -Type::kBias * sum;
    }
}

template <class Type, int ValueBytes>
void quantize_unit(const float* x, int unit, const RowTile& to, int row, int rows) {
    const float largest = largest_in<Type>(x);
    float scale = largest / 127.0F;
    if (kUnit<Type> == kPart) scale = _cvtsh_ss(_cvtss_sh(scale, _MM_FROUND_TO_NEAREST_INT));
    to.scales[unit * rows + row] = scale;
    const float factor = largest > 0 ? 127.0F / largest : 0.0F;
    for (int i = 0; i < kUnit<Type>; i += kPart) {
        const int at = unit * kUnit<Type> + i;
        __m256i fours;
        const __m256i bytes = quantize_part(x + i, factor, fours);
        std::int8_t* values = to.values + (static_cast<std::size_t>(at / 4 * ValueBytes) * rows + row) * 4;
        if constexpr (ValueBytes == 1) {
            store_words(bytes, values, rows * 4);
        } else {
            store_words(_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), values, rows * 8);
            store_words(_mm256_srai_epi16(bytes, 8), values + rows * 4, rows * 8);
        }
        const int first = sum_of(_mm256_castsi256_si128(fours));
        const int last = sum_of(_mm256_extracti128_si256(fours, 1));
        std::int32_t* sums = to.sums + static_cast<std::size_t>(at / kSummed<Type>) * rows + row;
        if (kSummed<Type> == kPart) {
            sums[0] = as_sum<Type>(first + last);
        } else {
            sums[0] = as_sum<Type>(first);
            sums[rows] = as_sum<Type>(last);
        }
    }
}

/// The tiles of a product's x; those of one thread of `threads`. Rows that a last tile lacks are zeros.
template <class Type, int ValueBytes>
void quantize_rows(const QuantizedProduct& p, int rows, int thread, int threads) {
    const int tiles = (p.rows + rows - 1) / rows;
    for (int t = thread; t < tiles; t += threads) {
        const RowTile to = tile_at<Type, ValueBytes>(p.quantized, t, p.depth, rows);
        if ((t + 1) * rows > p.rows) {
            __builtin_memset(to.values, 0, tile_bytes<Type, ValueBytes>(p.depth, rows));
        }
        for (int r = 0; r < rows && t * rows + r < p.rows; ++r) {
            const float* x = p.x + (static_cast<std::size_t>(t) * rows + r) * p.x_stride;
            for (int u = 0; u < p.depth / kUnit<Type>; ++u) {
                quantize_unit<Type, ValueBytes>(x + u * kUnit<Type>, u, to, r, rows);
            }
        }
    }
}

}  // namespace
}  // namespace hired
