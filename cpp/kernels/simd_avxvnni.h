// AVX2 with VNNI on 256 bits, for quantized_*.h.
#pragma once

#include "kernels/workspace.h"

namespace hired {
namespace {

struct AvxVnni {
    using Floats = __m256;
    using Integers = __m256i;

    static constexpr int kLanes = 8;
    static constexpr int kColumns = 2 * kLanes;  // of a panel
    static constexpr int kRows = 5;              // of a tile: its 10 sums stay in registers
    static constexpr int kHalfRows = 4;          // the power of two below

    template <int Largest>
    static constexpr int kValueBytes = 1;

    static Floats zero() { return _mm256_setzero_ps(); }
    static Floats load(const float* p) { return _mm256_loadu_ps(p); }
    static Floats every(const float* p) { return _mm256_broadcast_ss(p); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
    static Floats to_floats(Integers v) { return _mm256_cvtepi32_ps(v); }
    static void store(float* p, Floats v) { _mm256_storeu_ps(p, v); }

    /// A part of eight columns, transposed: v[k] holds values 4k to 4k + 3 of each.
    template <int Largest>
    static void store(const __m256i (&v)[8], std::uint8_t* to) {
        for (int k = 0; k < 8; ++k) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(to + k * 4 * kColumns), v[k]);
        }
    }

    /// Sums of products of `Places` times four values, for each row and column; from `start` on, if Biased.
    template <int Rows, int Largest, int Places, bool Biased>
    static void sums(const std::uint8_t* w, const std::int8_t* x, const std::int32_t* start,
                     Integers (&sum)[Rows][2]) {
        HIRED_UNROLL
        for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = _mm256_set1_epi32(Biased ? start[i] : 0);
        HIRED_UNROLL
        for (int k = 0; k < Places; ++k) {
            const __m256i w0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(w + k * 4 * kColumns));
            const __m256i w1 = _mm256_load_si256(reinterpret_cast<const __m256i*>(w + k * 4 * kColumns + 32));
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                std::int32_t four;
                __builtin_memcpy(&four, x + (k * kRows + i) * 4, sizeof(four));
                const __m256i v = _mm256_set1_epi32(four);
                sum[i][0] = _mm256_dpbusd_avx_epi32(sum[i][0], w0, v);
                sum[i][1] = _mm256_dpbusd_avx_epi32(sum[i][1], w1, v);
            }
        }
    }

    /// The sums of each four products.
    template <int Largest>
    static __m256i dot(__m256i w, __m256i x) {
        return _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), w, x);
    }
};

}  // namespace
}  // namespace hired
