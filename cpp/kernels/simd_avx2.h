// AVX2 without VNNI, for quantized_*.h. Products of bytes are added in pairs of 16 bits, and so many of those
// as cannot overflow. Bytes of 8 bits leave no room for that: their
// products are of 16-bit values.
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
    static constexpr int kValueBytes = Largest > 127 ? 2 : 1;

    static Floats zero() { return _mm256_setzero_ps(); }
    static Floats load(const float* p) { return _mm256_loadu_ps(p); }
    static Floats every(const float* p) { return _mm256_broadcast_ss(p); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
    static Floats to_floats(Integers v) { return _mm256_cvtepi32_ps(v); }
    static void store(float* p, Floats v) { _mm256_storeu_ps(p, v); }

    static __m256i low(__m256i v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
    static __m256i high(__m256i v) { return low(_mm256_srli_epi16(v, 4)); }

    /// A part of eight columns, transposed: v[k] holds values 4k to 4k + 3 of each. As 16-bit values they
    /// become the pairs 4k, 4k + 2 and 4k + 1, 4k + 3.
    template <int Largest>
    static void store(const __m256i (&v)[8], std::uint8_t* to) {
        for (int k = 0; k < 8; ++k) {
            auto* at = reinterpret_cast<__m256i*>(to + k * 4 * kColumns * kValueBytes<Largest>);
            if constexpr (kValueBytes<Largest> == 1) {
                _mm256_store_si256(at, v[k]);
            } else {
                _mm256_store_si256(at, _mm256_and_si256(v[k], _mm256_set1_epi16(255)));
                _mm256_store_si256(at + kColumns / 8, _mm256_srli_epi16(v[k], 8));
            }
        }
    }

    /// Sums of products of `Places` times four values, for each row and column; from `start` on, if Biased.
    template <int Rows, int Largest, int Places, bool Biased>
    static void sums(const std::uint8_t* w, const std::int8_t* x, const std::int32_t* start,
                     Integers (&sum)[Rows][2]) {
        if constexpr (kValueBytes<Largest> == 2) {
            wide_sums<Rows, 2 * Places>(w, x, sum);
        } else {
            narrow_sums<Rows, Largest, Places>(w, x, sum);
        }
        if constexpr (Biased) {
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                for (int h = 0; h < 2; ++h) {
                    sum[i][h] = _mm256_add_epi32(sum[i][h], _mm256_set1_epi32(start[i]));
                }
            }
        }
    }

    /// The sums of each four products.
    template <int Largest>
    static __m256i dot(__m256i w, __m256i x) {
        if constexpr (Largest <= 127) {
            return _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
        } else {
            const __m256i upper = _mm256_madd_epi16(_mm256_maddubs_epi16(high(w), x), _mm256_set1_epi16(16));
            return _mm256_add_epi32(dot<15>(low(w), x), upper);
        }
    }

  private:
    // GCC would multiply all first and then add in pairs, which takes more registers than there are.
    static void in_order(__m256i& v) { asm("" : "+x"(v)); }

    static __m256i four_bytes(const std::int8_t* p) {
        std::int32_t four;
        __builtin_memcpy(&four, p, sizeof(four));
        return _mm256_set1_epi32(four);
    }

    static __m256i load_bytes(const std::uint8_t* p) {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
    }

    template <int Rows, int Places>
    static void wide_sums(const std::uint8_t* w, const std::int8_t* x, Integers (&sum)[Rows][2]) {
        HIRED_UNROLL
        for (int k = 0; k < Places; ++k) {
            const __m256i w0 = load_bytes(w + k * 4 * kColumns), w1 = load_bytes(w + k * 4 * kColumns + 32);
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                const __m256i v = four_bytes(x + (k * kRows + i) * 4);
                const __m256i p0 = _mm256_madd_epi16(w0, v), p1 = _mm256_madd_epi16(w1, v);
                sum[i][0] = k ? _mm256_add_epi32(sum[i][0], p0) : p0;
                sum[i][1] = k ? _mm256_add_epi32(sum[i][1], p1) : p1;
                in_order(sum[i][0]);
                in_order(sum[i][1]);
            }
        }
    }

    template <int Rows, int Largest, int Places>
    static void narrow_sums(const std::uint8_t* w, const std::int8_t* x, Integers (&sum)[Rows][2]) {
        constexpr int kMost = 32767 / (Largest * 127 * 2);  // pairs of products that can be added in 16 bits
        constexpr int kAtOnce = kMost < Places ? kMost : Places;
        HIRED_UNROLL
        for (int first = 0; first < Places; first += kAtOnce) {
            Integers pairs[Rows][2];
            HIRED_UNROLL
            for (int k = first; k < first + kAtOnce; ++k) {
                const __m256i w0 = load_bytes(w + k * 4 * kColumns),
                              w1 = load_bytes(w + k * 4 * kColumns + 32);
                HIRED_UNROLL
                for (int i = 0; i < Rows; ++i) {
                    const __m256i v = four_bytes(x + (k * kRows + i) * 4);
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
