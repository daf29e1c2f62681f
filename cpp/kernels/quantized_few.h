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

/// What the bias or the minima of a stretch take off: eight groups in eight lanes. `sums` are a row's.
template <class Type>
__m256 take_off(const std::int32_t* sums, int half, __m256 scales_or_mins) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + 8 * half));
    const __m256 amount = Type::kMins ? _mm256_castsi256_ps(bits) : _mm256_cvtepi32_ps(bits);
    return _mm256_mul_ps(amount, scales_or_mins);
}

/// The scales of a part in 8 lanes: of a group each, or of two.
template <class Type>
__m256 scales_of_part(const float* scales, int part) {
    if constexpr (Type::kGroup == kPart) return _mm256_broadcast_ss(scales + part);
    const __m128 first = _mm_broadcast_ss(scales + 2 * part), last = _mm_broadcast_ss(scales + 2 * part + 1);
    return _mm256_insertf128_ps(_mm256_castps128_ps256(first), last, 1);
}

/// Products of one stretch of weights and of each row: eight lanes whose sum is it.
template <class Simd, class Type, int Rows, bool Whole>
void multiply_stretch(Bytes w, const RowTile (&x)[Rows], int start, int parts, __m256 (&total)[Rows]) {
    constexpr int kGroups = kStretch / Type::kGroup;
    alignas(32) float scales[kGroups];
    __m256 eights[kGroups / 8];
    HIRED_UNROLL
    for (int half = 0; half < kGroups / 8; ++half) {
        eights[half] = Type::scales(w, half, parts);
        _mm256_store_ps(scales + 8 * half, eights[half]);
    }
    __m256 unit[Rows];
    HIRED_UNROLL
    for (int r = 0; r < Rows; ++r) {
        const std::int32_t* sums = x[r].sums + start / kSummed<Type>;
        if constexpr (Type::kMins) {
            unit[r] = take_off<Type>(sums, 0, Type::mins(w));
        } else if constexpr (kUnit<Type> == kStretch) {
            unit[r] = take_off<Type>(sums, 0, eights[0]);
            HIRED_UNROLL
            for (int half = 1; half < kGroups / 8; ++half) {
                unit[r] = _mm256_add_ps(unit[r], take_off<Type>(sums, half, eights[half]));
            }
        } else {
            alignas(32) float own[8] = {};
            alignas(32) std::int32_t own_sums[8] = {};
            const float* x_scales = x[r].scales + start / kPart;
            if constexpr (Whole) {
                _mm256_store_ps(own, _mm256_loadu_ps(x_scales));
                unit[r] = _mm256_mul_ps(take_off<Type>(sums, 0, eights[0]), _mm256_load_ps(own));
            } else {
                for (int i = 0; i < parts; ++i) own[i] = x_scales[i];
                for (int i = 0; i < parts; ++i) own_sums[i] = sums[i];
                unit[r] = _mm256_mul_ps(take_off<Type>(own_sums, 0, eights[0]), _mm256_load_ps(own));
            }
        }
    }
    const auto one_part = [&](int part) {
        const __m256i v = Type::values(w, part);
        const __m256 s = scales_of_part<Type>(scales, part);
        HIRED_UNROLL
        for (int r = 0; r < Rows; ++r) {
            const auto* bytes = reinterpret_cast<const __m256i*>(x[r].values + start + part * kPart);
            const __m256 sum =
                _mm256_cvtepi32_ps(Simd::template dot<Type::kLargest>(v, _mm256_loadu_si256(bytes)));
            const __m256 factor =
                kUnit<Type> == kStretch
                    ? s
                    : _mm256_mul_ps(s, _mm256_broadcast_ss(x[r].scales + start / kUnit<Type> + part));
            unit[r] = _mm256_fmadd_ps(sum, factor, unit[r]);
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
