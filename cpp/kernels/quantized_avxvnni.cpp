#include "kernels/quantized_body.h"
#include "kernels/simd_avxvnni.h"

namespace hired::avxvnni {

std::size_t quantized_bytes(QuantizedType type, int rows, int depth) {
    return bytes_of<AvxVnni>(type, rows, depth);
}

void quantize(const QuantizedProduct& product, int thread, int threads) {
    quantize_for<AvxVnni>(product, thread, threads);
}

void multiply_quantized(const QuantizedProduct& product, int first, int last) {
    multiply_columns<AvxVnni>(product, first, last);
}

}  // namespace hired::avxvnni
