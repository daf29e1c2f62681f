// Vectors of floats on AVX2 with FMA and F16C: what avx512.h has, with half as many lanes.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/workspace.h"

namespace hired {
namespace {

using Vector = __m256;
constexpr int kLanes = 8;

// All bits of the first `left` lanes, of 0 to 8.
[[maybe_unused]] inline __m256i lanes(int left) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
}

[[maybe_unused]] inline Vector all(float v) {
    return _mm256_set1_ps(v);
}

// The first `left` lanes of what is there, then 0.
[[maybe_unused]] inline Vector load(const float* p, int left = kLanes) {
    return left >= kLanes ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes(left));
}

// The same, from half precision.
[[maybe_unused]] inline Vector load(const std::uint16_t* p, int left = kLanes) {
    if (left >= kLanes) return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    alignas(16) std::uint16_t some[kLanes] = {};
    for (int i = 0; i < left; ++i) some[i] = p[i];
    return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(some)));
}

[[maybe_unused]] inline void store(float* p, Vector v, int left = kLanes) {
    if (left >= kLanes) {
        _mm256_storeu_ps(p, v);
    } else {
        _mm256_maskstore_ps(p, lanes(left), v);
    }
}

// The first `left` lanes of a, then b's.
[[maybe_unused]] inline Vector join(Vector a, Vector b, int left) {
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(lanes(left)));
}

[[maybe_unused]] inline Vector add(Vector a, Vector b) {
    return _mm256_add_ps(a, b);
}

[[maybe_unused]] inline Vector times(Vector a, Vector b) {
    return _mm256_mul_ps(a, b);
}

// a * b + c
[[maybe_unused]] inline Vector fma(Vector a, Vector b, Vector c) {
    return _mm256_fmadd_ps(a, b, c);
}

// b where one of them is NaN.
[[maybe_unused]] inline Vector larger(Vector a, Vector b) {
    return _mm256_max_ps(a, b);
}

[[maybe_unused]] inline Vector nearest(Vector v) {
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// v * 2^n for whole n of at least -126
[[maybe_unused]] inline Vector times_power(Vector v, Vector n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

[[maybe_unused]] inline float largest_of(Vector v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

[[maybe_unused]] inline float sum_of(Vector v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

// Rows become columns.
[[maybe_unused]] inline void transpose(Vector (&r)[kLanes]) {
    Vector t[kLanes];
    HIRED_UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    HIRED_UNROLL
    for (int i = 0; i < 8; i += 4) {
        for (int h = 0; h < 2; ++h) {
            r[i + 2 * h] = _mm256_shuffle_ps(t[i + h], t[i + h + 2], 0x44);
            r[i + 2 * h + 1] = _mm256_shuffle_ps(t[i + h], t[i + h + 2], 0xee);
        }
    }
    HIRED_UNROLL
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    HIRED_UNROLL
    for (int i = 0; i < 8; ++i) r[i] = t[i];
}

}  // namespace
}  // namespace hired
