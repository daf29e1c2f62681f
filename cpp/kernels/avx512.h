// Shared by the *_avx512.cpp files; see simd.h for the anonymous namespace.
#pragma once

#include "kernels/simd.h"
#include "kernels/workspace.h"

namespace hired {
namespace {

[[maybe_unused]] inline int least(int a, int b) {
    return a < b ? a : b;
}

/// Lanes that are left, of 16 at most.
[[maybe_unused]] inline __mmask16 lanes(int left) {
    return left <= 0 ? 0 : left >= 16 ? 0xffff : static_cast<__mmask16>((1U << left) - 1);
}

}  // namespace
}  // namespace hired
