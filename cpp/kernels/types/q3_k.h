// Q3_K: blocks of 256 with a factor in half precision at the end; 16 groups of 16 with a scale of 6 bits, 32
// too large; 3 bits a value, 4 too large: the third bits in the first 32 bytes, as in Q5_K, the others in 64
// bytes of four parts each.
#pragma once

#include "kernels/types/types.h"

namespace hired {
namespace {

struct Q3K {
    static constexpr int kBlock = 256;
    static constexpr int kBytes = 110;
    static constexpr int kGroup = 16;
    static constexpr int kLargest = 7;
    static constexpr int kBias = 4;
    static constexpr bool kMins = false;

    static __m256i values(Bytes block, int part) {
        const __m256i low = bits32(block + 32 + part / 4 * 32, part % 4 * 2, 3, 0);
        return _mm256_or_si256(low, bits32(block, part, 1, 2));
    }

    // Scale i has its lower 4 bits in byte i % 8, its upper 2 in byte 8 + i % 4.
    static __m256 scales(Bytes block, int half, int) {
        const Bytes p = block + 96;
        const std::uint32_t upper = load_word(p + 8) >> (4 * half);
        const std::uint32_t first = (load_word(p) >> (4 * half) & 0x0f0f0f0fU) | (upper << 4 & 0x30303030U);
        const std::uint32_t last =
            (load_word(p + 4) >> (4 * half) & 0x0f0f0f0fU) | (upper << 2 & 0x30303030U);
        const __m256 scales = _mm256_sub_ps(bytes_to_floats(first, last), _mm256_set1_ps(32));
        return _mm256_mul_ps(half_everywhere(block + 108), scales);
    }
};

}  // namespace
}  // namespace hired
