// Random inputs for the tests of cpp/kernels.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
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

inline Floats random_floats(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    Floats values(n);
    for (float& v : values) v = uniform(random);
    return values;
}
