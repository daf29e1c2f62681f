#include "kernels/quantized_body.h"
#include "kernels/simd_avx512.h"

namespace hired::avx512 {

std::size_t quantized_bytes(QuantizedType type, int rows, int depth) {
    return bytes_of<Avx512>(type, rows, depth);
}

void quantize(const QuantizedProduct& product, int thread, int threads) {
    quantize_for<Avx512>(product, thread, threads);
}

void multiply_quantized(const QuantizedProduct& product, int first, int last) {
    multiply_columns<Avx512>(product, first, last);
}

}  // namespace hired::avx512
