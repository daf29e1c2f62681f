// AVX2 without VNNI, for quantized_*.h. Products of bytes are added in pairs of 16 bits, and so many of those
// as cannot overflow. Bytes of 8 bits are taken apart into two planes of 4 bits.
#pragma once

#include "kernels/workspace.h"

namespace hired {
namespace {

struct Avx2 {
    using Floats = __m256;
    using Integers = __m256i;

    static constexpr int kLanes = 8;
    static constexpr int kColumns = 2 * kLanes;  // of a panel
    static constexpr int kRows = 3;              // of a tile: its sums of 16 and of 32 bits stay in registers
    static constexpr int kHalfRows = 2;          // the power of two below

    template <int Largest>
    static constexpr int kPlanes = Largest > 127 ? 2 : 1;

    static Floats zero() { return _mm256_setzero_ps(); }
    static Floats load(const float* p) { return _mm256_loadu_ps(p); }
    static Floats every(const float* p) { return _mm256_broadcast_ss(p); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
    static Floats to_floats(Integers v) { return _mm256_cvtepi32_ps(v); }
    static void store(float* p, Floats v) { _mm256_storeu_ps(p, v); }

    static __m256i low(__m256i v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
    static __m256i high(__m256i v) { return low(_mm256_srli_epi16(v, 4)); }

    /// A part of eight columns, transposed: v[k] holds values 4k to 4k + 3 of each.
    template <int Largest>
    static void store(const __m256i (&v)[8], std::uint8_t* to) {
        for (int k = 0; k < 8; ++k) {
            auto* at = reinterpret_cast<__m256i*>(to + k * 4 * kColumns);
            if constexpr (kPlanes<Largest> == 1) {
                _mm256_store_si256(at, v[k]);
            } else {
                _mm256_store_si256(at, low(v[k]));
                _mm256_store_si256(at + kPlaneBytes / 32, high(v[k]));
            }
        }
    }

    /// Sums of products of `Places` times four values, for each row and column; from `start` on, if Biased.
    template <int Rows, int Largest, int Places, bool Biased>
    static void sums(const std::uint8_t* w, const std::int8_t* x, const std::int32_t* start,
                     Integers (&sum)[Rows][2]) {
        if constexpr (kPlanes<Largest> == 1) {
            plane_sums<Rows, Largest, Places>(w, x, sum);
        } else {
            Integers upper[Rows][2];
            plane_sums<Rows, 15, Places>(w + kPlaneBytes, x, upper);
            asm("" : "+r"(x));  // loaded again: all of it takes more registers than there are
            plane_sums<Rows, 15, Places>(w, x, sum);
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                for (int h = 0; h < 2; ++h) {
                    sum[i][h] = _mm256_add_epi32(sum[i][h], _mm256_slli_epi32(upper[i][h], 4));
                }
            }
        }
        if constexpr (Biased) {
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                for (int h = 0; h < 2; ++h)
                    sum[i][h] = _mm256_add_epi32(sum[i][h], _mm256_set1_epi32(start[i]));
            }
        }
    }

    /// The sums of each four products.
    template <int Largest>
    static __m256i dot(__m256i w, __m256i x) {
        if constexpr (kPlanes<Largest> == 1) {
            return _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
        } else {
            const __m256i upper = _mm256_madd_epi16(_mm256_maddubs_epi16(high(w), x), _mm256_set1_epi16(16));
            return _mm256_add_epi32(dot<15>(low(w), x), upper);
        }
    }

  private:
    // GCC would multiply all first and then add in pairs, which takes more registers than there are.
    static void in_order(__m256i& v) { asm("" : "+x"(v)); }

    static constexpr int kPlaneBytes = 32 * kColumns;

    template <int Rows, int Largest, int Places>
    static void plane_sums(const std::uint8_t* w, const std::int8_t* x, Integers (&sum)[Rows][2]) {
        constexpr int kMost = 32767 / (Largest * 127 * 2);  // pairs of products that can be added in 16 bits
        constexpr int kAtOnce = kMost < Places ? kMost : Places;
        HIRED_UNROLL
        for (int first = 0; first < Places; first += kAtOnce) {
            Integers pairs[Rows][2];
            HIRED_UNROLL
            for (int k = first; k < first + kAtOnce; ++k) {
                const __m256i w0 = _mm256_load_si256(reinterpret_cast<const __m256i*>(w + k * 4 * kColumns));
                const __m256i w1 =
                    _mm256_load_si256(reinterpret_cast<const __m256i*>(w + k * 4 * kColumns + 32));
                HIRED_UNROLL
                for (int i = 0; i < Rows; ++i) {
                    std::int32_t four;
                    __builtin_memcpy(&four, x + (k * kRows + i) * 4, sizeof(four));
                    const __m256i v = _mm256_set1_epi32(four);
                    const __m256i p0 = _mm256_maddubs_epi16(w0, v), p1 = _mm256_maddubs_epi16(w1, v);
                    pairs[i][0] = k == first ? p0 : _mm256_add_epi16(pairs[i][0], p0);
                    pairs[i][1] = k == first ? p1 : _mm256_add_epi16(pairs[i][1], p1);
                    in_order(pairs[i][0]);
                    in_order(pairs[i][1]);
                }
            }
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                for (int h = 0; h < 2; ++h) {
                    const __m256i some = _mm256_madd_epi16(pairs[i][h], _mm256_set1_epi16(1));
                    sum[i][h] = first ? _mm256_add_epi32(sum[i][h], some) : some;
                }
            }
        }
    }
};

}  // namespace
}  // namespace hired
