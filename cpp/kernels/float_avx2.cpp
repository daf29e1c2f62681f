#include "kernels/avx2.h"

namespace hired {
namespace {

// A tile of y stays in registers: 6 x 2 vectors, two of weights, one of x. A panel of weights (32 KiB) and a
// block of x (192 KiB) stay in the L2 cache, which has 256 KiB on old laptops.
constexpr int kTileRows = 6;
constexpr int kBlockTiles = 16;
constexpr int kDepth = 512;

}  // namespace
}  // namespace hired

// On these vectors, with these sizes.
#include "kernels/float_attention.h"
#include "kernels/float_product.h"

namespace hired::avx2 {

void multiply(const Product& product, int thread, int threads) {
    multiply_here(product, thread, threads);
}

void attend(const Attention& attention, int thread, int threads) {
    attend_here(attention, thread, threads);
}

}  // namespace hired::avx2
