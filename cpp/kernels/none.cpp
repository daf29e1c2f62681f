// In place of the *_avx512.cpp files where the compiler or the CPU's family has no AVX-512. Never called:
// have_kernels() is false.
#include "attention.h"
#include "product.h"

namespace hired {

void multiply(const Product&, int, int) {}
void attend(const Attention&, int, int) {}

}  // namespace hired
