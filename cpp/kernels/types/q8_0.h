// Q8_0: blocks of 32 with a scale in half precision; 8 bits a value, signed: made unsigned, they are 128 too
// large.
#pragma once

#include "kernels/types/types.h"

namespace hired {
namespace {

struct Q80 {
    static constexpr int kBlock = 32;
    static constexpr int kBytes = 34;
    static constexpr int kGroup = 32;
    static constexpr int kLargest = 255;
    static constexpr int kBias = 128;
    static constexpr bool kMins = false;

    static __m256i values(Bytes stretch, int part) {
        return _mm256_xor_si256(load32(stretch + part * kBytes + 2), _mm256_set1_epi8(-128));
    }
    static __m256 scales(Bytes stretch, int, int parts) { return scale_of_each<kBytes>(stretch, parts); }
};

}  // namespace
}  // namespace hired
