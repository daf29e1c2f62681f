// Vectors of floats on AVX-512, for float_product.h and float_attention.h. See workspace.h for the anonymous
// namespace.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/workspace.h"

namespace hired {
namespace {

using Vector = __m512;
constexpr int kLanes = 16;

// Lanes that are left, of 16 at most.
[[maybe_unused]] inline __mmask16 lanes(int left) {
    return left <= 0 ? 0 : left >= kLanes ? 0xffff : static_cast<__mmask16>((1U << left) - 1);
}

[[maybe_unused]] inline Vector all(float v) {
    return _mm512_set1_ps(v);
}

// The first `left` lanes of what is there, then 0.
[[maybe_unused]] inline Vector load(const float* p, int left = kLanes) {
    return _mm512_maskz_loadu_ps(lanes(left), p);
}

// The same, from half precision.
[[maybe_unused]] inline Vector load(const std::uint16_t* p, int left = kLanes) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes(left), p));
}

[[maybe_unused]] inline void store(float* p, Vector v, int left = kLanes) {
    _mm512_mask_storeu_ps(p, lanes(left), v);
}

// The first `left` lanes of a, then b's.
[[maybe_unused]] inline Vector join(Vector a, Vector b, int left) {
    return _mm512_mask_blend_ps(lanes(left), b, a);
}

[[maybe_unused]] inline Vector add(Vector a, Vector b) {
    return _mm512_add_ps(a, b);
}

[[maybe_unused]] inline Vector times(Vector a, Vector b) {
    return _mm512_mul_ps(a, b);
}

// a * b + c
[[maybe_unused]] inline Vector fma(Vector a, Vector b, Vector c) {
    return _mm512_fmadd_ps(a, b, c);
}

// b where one of them is NaN.
[[maybe_unused]] inline Vector larger(Vector a, Vector b) {
    return _mm512_max_ps(a, b);
}

[[maybe_unused]] inline Vector nearest(Vector v) {
    return _mm512_roundscale_ps(v, 0);
}

// v * 2^n for whole n of at least -126
[[maybe_unused]] inline Vector times_power(Vector v, Vector n) {
    return _mm512_scalef_ps(v, n);
}

[[maybe_unused]] inline float largest_of(Vector v) {
    return _mm512_reduce_max_ps(v);
}

[[maybe_unused]] inline float sum_of(Vector v) {
    return _mm512_reduce_add_ps(v);
}

// Rows become columns.
[[maybe_unused]] inline void transpose(Vector (&r)[kLanes]) {
    Vector t[kLanes];
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

}  // namespace
}  // namespace hired
