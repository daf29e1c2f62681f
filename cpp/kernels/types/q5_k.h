// Q5_K: as Q4_K, with a fifth bit of each value in 32 bytes of their own: bit i of byte j is value j of group
// i.
#pragma once

#include "kernels/types/types.h"

namespace hired {
namespace {

struct Q5K {
    static constexpr int kBlock = 256;
    static constexpr int kBytes = 176;
    static constexpr int kGroup = 32;
    static constexpr int kLargest = 31;
    static constexpr int kBias = 0;
    static constexpr bool kMins = true;

    static __m256i values(Bytes block, int part) {
        return _mm256_or_si256(nibbles32(block + 48 + part / 2 * 32, part % 2),
                               bits32(block + 16, part, 1, 4));
    }
    static __m256 scales(Bytes block, int, int) {
        return _mm256_mul_ps(half_everywhere(block), six_bit_scales(block + 4));
    }
    static __m256 mins(Bytes block) {
        return _mm256_mul_ps(half_everywhere(block + 2), six_bit_mins(block + 4));
    }
};

}  // namespace
}  // namespace hired
