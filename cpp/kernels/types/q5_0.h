// Q5_0: blocks of 32 with a scale in half precision; 5 bits a value, 16 too large. The fifth bits stand
// together in 4 bytes, the others as in Q4_0.
#pragma once

#include "kernels/types/types.h"

namespace hired {
namespace {

struct Q50 {
    static constexpr int kBlock = 32;
    static constexpr int kBytes = 22;
    static constexpr int kGroup = 32;
    static constexpr int kLargest = 31;
    static constexpr int kBias = 16;
    static constexpr bool kMins = false;

    static __m256i values(Bytes stretch, int part) {
        const Bytes block = stretch + part * kBytes;
        return _mm256_or_si256(nibbles16(block + 6), sixteens(load_word(block + 2)));
    }
    static __m256 scales(Bytes stretch, int, int parts) { return scale_of_each<kBytes>(stretch, parts); }

  private:
    // 16 in each byte whose bit is set.
    static __m256i sixteens(std::uint32_t bits) {
        const __m256i byte =
            _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
        const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
        const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), byte);
        const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
        return _mm256_and_si256(set, _mm256_set1_epi8(16));
    }
};

}  // namespace
}  // namespace hired
