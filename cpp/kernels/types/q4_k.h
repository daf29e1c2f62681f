// Q4_K: blocks of 256 with two factors in half precision; 8 groups of 32 with a scale and a minimum of 6 bits
// each; 4 bits a value. Of each 32 bytes the low halves are a group and the high halves the next.
#pragma once

#include "kernels/types/types.h"

namespace hired {
namespace {

struct Q4K {
    static constexpr int kBlock = 256;
    static constexpr int kBytes = 144;
    static constexpr int kGroup = 32;
    static constexpr int kLargest = 15;
    static constexpr int kBias = 0;
    static constexpr bool kMins = true;

    static __m256i values(Bytes block, int part) { return nibbles32(block + 16 + part / 2 * 32, part % 2); }
    static __m256 scales(Bytes block, int, int) {
        return _mm256_mul_ps(half_everywhere(block), six_bit_scales(block + 4));
    }
    static __m256 mins(Bytes block) {
        return _mm256_mul_ps(half_everywhere(block + 2), six_bit_mins(block + 4));
    }
};

}  // namespace
}  // namespace hired
