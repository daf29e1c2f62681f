// Q4_0: blocks of 32 with a scale in half precision; 4 bits a value, 8 too large. The low halves of the 16
// bytes are the first 16 values.
#pragma once

#include "kernels/types/types.h"

namespace hired {
namespace {

struct Q40 {
    static constexpr int kBlock = 32;
    static constexpr int kBytes = 18;
    static constexpr int kGroup = 32;
    static constexpr int kLargest = 15;
    static constexpr int kBias = 8;
    static constexpr bool kMins = false;

    static __m256i values(Bytes stretch, int part) { return nibbles16(stretch + part * kBytes + 2); }
    static __m256 scales(Bytes stretch, int, int parts) { return scale_of_each<kBytes>(stretch, parts); }
};

}  // namespace
}  // namespace hired
