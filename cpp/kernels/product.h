// The matrix product of a linear layer, in float32.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hired {

enum class Weights {
    f32,             // float [columns, depth]
    f16,             // IEEE half [columns, depth]
    f32_transposed,  // float [depth, columns]
};

/// y [rows, columns] = x [rows, depth] * w, row-major. Strides are elements from one row to the next.
/// Kernels::multiply does the share of one thread of `threads`; together they write all of y, and nothing
/// else.
struct Product {
    int rows = 0;
    int columns = 0;
    int depth = 0;
    const float* x = nullptr;
    std::size_t x_stride = 0;
    const void* w = nullptr;
    std::size_t w_stride = 0;
    Weights weights = Weights::f32;
    float* y = nullptr;
    std::size_t y_stride = 0;
};

}  // namespace hired
