// The matrix product with weights in GGUF's Q4_0, by integer arithmetic.
#pragma once

#include <cstddef>

namespace hired {

/// Q4_0 stores a row of weights in blocks of 32: a scale in half precision, then 16 bytes. The low half of
/// byte i is value i, the high half value i + 16, each plus 8.
constexpr int kQ4Block = 32;
constexpr std::size_t kQ4BlockBytes = 18;

/// multiply_q4 takes columns in multiples of this.
constexpr int kQ4Columns = 32;

/// Bytes of a row of x for multiply_q4, a multiple of 64. `depth` is a multiple of kQ4Block.
std::size_t q8_row_bytes(int depth);

/// Writes `rows` rows of x as 8-bit integers with a scale, rounded to half precision, for 32 values, which is
/// what ggml does with them too. `q8` is aligned to 64 bytes. Does the share of one thread of `threads`.
void quantize_q8(const float* x, std::size_t x_stride, int rows, int depth, void* q8, int thread = 0,
                 int threads = 1);

/// y [rows, columns] = x [rows, depth] * w [columns, depth]^T. y_stride counts floats.
struct Q4Product {
    int rows = 0;
    int columns = 0;
    int depth = 0;
    const void* q8 = nullptr;  // x, from quantize_q8
    const void* w = nullptr;   // rows follow each other without a gap
    float* y = nullptr;
    std::size_t y_stride = 0;
};

/// Does the share of one thread of `threads`. Needs the kernels "avx512".
void multiply_q4(const Q4Product& product, int thread = 0, int threads = 1);

}  // namespace hired
