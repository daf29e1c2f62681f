// A few rows of x, as when an answer is written: the weights' way from memory is what takes time, so they are
// unpacked in registers, a column at a time. The same for every type. See workspace.h for the anonymous
// namespace.
#pragma once

#include "kernels/quantized_rows.h"

namespace hired {
namespace {

constexpr int kAhead = 2048;  // bytes; the CPU's own prefetching ends with the page

inline float sum_of(__m256 v) {
    __m128 m = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_add_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_add_ss(m, _mm_movehdup_ps(m)));
}

template <class Type>
void prefetch(Bytes stretch) {
    constexpr int kStretchBytes = kStretch / Type::kBlock * Type::kBytes;
    for (int i = 0; i < kStretchBytes; i += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(stretch) + kAhead + i, _MM_HINT_T0);
    }
}

/// The scales of a part in 8 lanes: of a group each, or of two.
template <class Type>
__m256 scales_of_part(const float* scales, int part) {
    if constexpr (Type::kGroup == kPart) return _mm256_broadcast_ss(scales + part);
    const __m128 first = _mm_broadcast_ss(scales + 2 * part), last = _mm_broadcast_ss(scales + 2 * part + 1);
    return _mm256_insertf128_ps(_mm256_castps128_ps256(first), last, 1);
}

/// Eight numbers, of which `parts` are there; 0 for the others.
template <bool Whole, class Number>
__m256i load_parts(const Number* p, int parts) {
    if constexpr (Whole) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i there =
        _mm256_cmpgt_epi32(_mm256_set1_epi32(parts), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), there);
}

template <class Type>
constexpr int kGroups = kStretch / Type::kGroup;

/// Writes what the groups of a stretch are multiplied by, for one row. A K type's stretch has one scale of x,
/// which is left to the end; else each part has its own. Returns what the bias or the minima take off, in
/// eight lanes.
template <class Type, bool Whole>
__m256 find_factors(Bytes w, const RowTile& x, int start, int parts, float* factors) {
    const std::int32_t* sums = x.sums + start / kSummed<Type>;
    __m256 taken_off = _mm256_setzero_ps();
    HIRED_UNROLL
    for (int half = 0; half < kGroups<Type> / 8; ++half) {
        __m256 scales = Type::scales(w, half, parts);
        if constexpr (kUnit<Type> == kPart) {
            const __m256i own = load_parts<Whole>(x.scales + start / kPart, parts);
            scales = _mm256_mul_ps(scales, _mm256_castsi256_ps(own));
        }
        _mm256_store_ps(factors + 8 * half, scales);
        if constexpr (!Type::kMins) {
            const __m256i taken = load_parts<Whole>(sums + 8 * half, parts);
            taken_off = _mm256_fmadd_ps(_mm256_cvtepi32_ps(taken), scales, taken_off);
        }
    }
    if constexpr (Type::kMins) {
        taken_off = _mm256_mul_ps(_mm256_castsi256_ps(load_parts<true>(sums, parts)), Type::mins(w));
    }
    return taken_off;
}

/// Products of one stretch of weights and of each row: eight lanes whose sum is it.
template <class Simd, class Type, int Rows, bool Whole>
void multiply_stretch(Bytes w, const RowTile (&x)[Rows], int start, int parts, __m256 (&total)[Rows]) {
    alignas(32) float factors[Rows][kGroups<Type>];
    __m256 unit[Rows];
    HIRED_UNROLL
    for (int r = 0; r < Rows; ++r) unit[r] = find_factors<Type, Whole>(w, x[r], start, parts, factors[r]);
    const auto one_part = [&](int part) {
        const __m256i v = Type::values(w, part);
        HIRED_UNROLL
        for (int r = 0; r < Rows; ++r) {
            const auto* bytes = reinterpret_cast<const __m256i*>(x[r].values + start + part * kPart);
            const __m256i sum = Simd::template dot<Type::kLargest>(v, _mm256_loadu_si256(bytes));
            unit[r] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scales_of_part<Type>(factors[r], part), unit[r]);
        }
    };
    if constexpr (Whole) {
        HIRED_UNROLL
        for (int part = 0; part < kParts; ++part) one_part(part);
    } else {
        for (int part = 0; part < parts; ++part) one_part(part);
    }
    HIRED_UNROLL
    for (int r = 0; r < Rows; ++r) {
        if constexpr (kUnit<Type> == kStretch) {
            total[r] =
                _mm256_fmadd_ps(unit[r], _mm256_broadcast_ss(x[r].scales + start / kStretch), total[r]);
        } else {
            total[r] = _mm256_add_ps(unit[r], total[r]);
        }
    }
}

/// Columns `first` to `last` of y, for rows from `row` on. x is in tiles of one row.
template <class Simd, class Type, int Rows>
void multiply_few(const QuantizedProduct& p, int row, int first, int last) {
    RowTile x[Rows];
    for (int r = 0; r < Rows; ++r) x[r] = tile_at<Type, 1>(p.quantized, row + r, p.depth, 1);
    const std::size_t row_bytes = static_cast<std::size_t>(p.depth / Type::kBlock) * Type::kBytes;
    constexpr int kStretchBytes = kStretch / Type::kBlock * Type::kBytes;
    for (int n = first; n < last; ++n) {
        Bytes w = static_cast<Bytes>(p.w) + n * row_bytes;
        __m256 total[Rows];
        HIRED_UNROLL
        for (int r = 0; r < Rows; ++r) total[r] = _mm256_setzero_ps();
        int k = 0;
        for (; k + kStretch <= p.depth; k += kStretch, w += kStretchBytes) {
            prefetch<Type>(w);
            multiply_stretch<Simd, Type, Rows, true>(w, x, k, kParts, total);
        }
        if (k < p.depth) multiply_stretch<Simd, Type, Rows, false>(w, x, k, (p.depth - k) / kPart, total);
        HIRED_UNROLL
        for (int r = 0; r < Rows; ++r) p.y[(row + r) * p.y_stride + n] = sum_of(total[r]);
    }
}

}  // namespace
}  // namespace hired
