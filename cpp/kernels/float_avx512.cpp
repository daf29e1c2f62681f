#include "kernels/avx512.h"

namespace hired {
namespace {

// A tile of y stays in registers: 14 x 2 vectors, two of weights, one of x. A panel of weights (48 KiB) and a
// block of x (588 KiB) stay in the L2 cache.
constexpr int kTileRows = 14;
constexpr int kBlockTiles = 28;
constexpr int kDepth = 384;

}  // namespace
}  // namespace hired

// On these vectors, with these sizes.
#include "kernels/float_attention.h"
#include "kernels/float_product.h"

namespace hired::avx512 {

void multiply(const Product& product, int thread, int threads) {
    multiply_here(product, thread, threads);
}

void attend(const Attention& attention, int thread, int threads) {
    attend_here(attention, thread, threads);
}

}  // namespace hired::avx512
