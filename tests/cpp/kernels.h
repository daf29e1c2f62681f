// Random inputs for the tests of cpp/kernels.
#pragma once

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/cpu.h"

using Floats = std::vector<float>;

/// Skips the rest of a test case where the kernels do not run.
#define NEEDS_KERNELS()                                         \
    if (!hired::have_kernels()) {                               \
        MESSAGE("no AVX-512 here: the kernels are not tested"); \
        return;                                                 \
    }

/// To the nearest number of half precision, ties to even; numbers below 2^-10 become 0.
inline float round_to_half(float value) {
    if (std::abs(value) < 0x1p-10f) return 0;
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return std::bit_cast<float>((bits + 0xfff + (bits >> 13 & 1)) & 0xffffe000);
}

/// The bits of a number from round_to_half.
inline std::uint16_t to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (value == 0) return 0;
    return static_cast<std::uint16_t>((bits >> 16 & 0x8000) | ((bits >> 13 & 0x3ffff) - (112 << 10)));
}

inline Floats random_floats(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    Floats values(n);
    for (float& v : values) v = uniform(random);
    return values;
}
