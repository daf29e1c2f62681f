#include "kernels/quantized_body.h"
#include "kernels/simd_avx2.h"

namespace hired::avx2 {

std::size_t quantized_bytes(QuantizedType type, int rows, int depth) {
    return bytes_of<Avx2>(type, rows, depth);
}

void quantize(const QuantizedProduct& product, int thread, int threads) {
    quantize_for<Avx2>(product, thread, threads);
}

void multiply_quantized(const QuantizedProduct& product, int first, int last) {
    multiply_columns<Avx2>(product, first, last);
}

}  // namespace hired::avx2
