// The matrix product with quantised weights as GGUF stores them, by integer arithmetic.
#pragma once

#include <cstddef>

namespace hired {

/// GGUF's types whose products have kernels: a file in types/ each.
enum class QuantizedType { q3_k, q4_0, q4_k, q5_0, q5_k, q6_k, q8_0 };
constexpr const char* kQuantizedTypeNames[] = {"Q3_K", "Q4_0", "Q4_K", "Q5_0", "Q5_K", "Q6_K", "Q8_0"};

/// y [rows, columns] = x [rows, depth] * w [columns, depth]^T. Kernels::quantize writes x as 8-bit integers
/// with a scale for 32 of them, or for 256 where the weights are of a K type, as ggml does too;
/// Kernels::multiply_quantized, of the same table, multiplies by them.
struct QuantizedProduct {
    QuantizedType type = QuantizedType::q4_0;
    int rows = 0;
    int columns = 0;
    int depth = 0;  // a multiple of the type's block
    const float* x = nullptr;
    std::size_t x_stride = 0;   // floats
    void* quantized = nullptr;  // Kernels::quantized_bytes of memory, aligned to 64 bytes
    const void* w = nullptr;    // blocks as in the file; rows follow each other without a gap
    float* y = nullptr;
    std::size_t y_stride = 0;  // floats
};

}  // namespace hired
