// Random inputs and results for the tests of cpp/kernels.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/kernels.h"

using Floats = std::vector<float>;

/// Runs a test with the kernels of each instruction set that this CPU has.
template <class Test>
void with_each_kernels(const Test& test) {
    const auto here = hired::kernels_here();
    if (here.empty()) MESSAGE("no AVX2 here: the kernels are not tested");
    for (const hired::Kernels* kernels : here) {
        CAPTURE(kernels->name);
        test(*kernels);
    }
}

/// Skips the rest of a test case where the kernels for AVX-512 do not run.
#define NEEDS_KERNELS()                                         \
    if (!hired::find_kernels("avx512")) {                       \
        MESSAGE("no AVX-512 here: the kernels are not tested"); \
        return;                                                 \
    }

/// To the nearest number of half precision, ties to even; numbers below 2^-10 become 0.
inline float round_to_half(float value) {
    if (std::abs(value) < 0x1p-10F) return 0;
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

/// A product [rows, columns] whose rows are further apart than they are wide.
struct Result {
    static constexpr float kUntouched = 1e30F;

    int rows, columns;
    std::size_t stride;
    Floats values;

    Result(int m, int n, std::size_t apart)
        : rows(m), columns(n), stride(apart), values(m * apart, kUntouched) {}

    /// The largest difference from expected(row, column).
    template <class Expected>
    double largest_error(const Expected& expected) const {
        double worst = 0;
        for (int i = 0; i < rows; ++i) {
            for (int n = 0; n < columns; ++n) {
                worst = std::max(worst, std::abs(values[i * stride + n] - expected(i, n)));
            }
        }
        return worst;
    }

    bool gaps_are_untouched() const {
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (i % stride >= static_cast<std::size_t>(columns) && values[i] != kUntouched) return false;
        }
        return true;
    }
};
