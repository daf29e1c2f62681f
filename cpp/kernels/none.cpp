// In place of the *_avx512.cpp files where the compiler or the CPU's family has no AVX-512. Never called:
// have_kernels() is false.
#include "kernels/attention.h"
#include "kernels/product.h"
#include "kernels/q4.h"

namespace hired {

void multiply(const Product&, int, int) {}
void attend(const Attention&, int, int) {}
std::size_t q8_row_bytes(int) {
    return 0;
}
void quantize_q8(const float*, std::size_t, int, int, void*, int, int) {}
void multiply_q4(const Q4Product&, int, int) {}

}  // namespace hired
