// Q6_K: blocks of 256 with a factor in half precision at the end; 16 groups of 16 with a signed scale of 8
// bits; 6 bits a value, 32 too large. In each half of the block 64 bytes hold the lower 4 bits, and 32 bytes
// the upper 2 of the four parts.
#pragma once

#include "kernels/types/types.h"

namespace hired {
namespace {

struct Q6K {
    static constexpr int kBlock = 256;
    static constexpr int kBytes = 210;
    static constexpr int kGroup = 16;
    static constexpr int kLargest = 63;
    static constexpr int kBias = 32;
    static constexpr bool kMins = false;

    static __m256i values(Bytes block, int part) {
        const int half = part / 4, quarter = part % 4;
        const __m256i low = nibbles32(block + half * 64 + quarter % 2 * 32, quarter / 2);
        return _mm256_or_si256(low, bits32(block + 128 + half * 32, 2 * quarter, 3, 4));
    }
    static __m256 scales(Bytes block, int half, int) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(block + 192 + 8 * half));
        return _mm256_mul_ps(half_everywhere(block + 208), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)));
    }
};

}  // namespace
}  // namespace hired
