// The kernels of this folder, a table for each instruction set.
#pragma once

#include <string_view>
#include <vector>

#include "kernels/attention.h"
#include "kernels/product.h"
#include "kernels/quantized.h"

namespace hired {

struct Kernels {
    std::string_view name;  // "avx512", "avxvnni" or "avx2"
    void (*multiply)(const Product& product, int thread, int threads);
    void (*attend)(const Attention& attention, int thread, int threads);

    std::size_t (*quantized_bytes)(QuantizedType type, int rows, int depth);
    /// The share of one thread of `threads`.
    void (*quantize)(const QuantizedProduct& product, int thread, int threads);
    /// Columns `first` to `last`, after all of x was quantised. `first` is a multiple of 32.
    void (*multiply_quantized)(const QuantizedProduct& product, int first, int last);
};

/// Those that this build has and that this CPU and system run, the fastest first. Each lives for ever.
std::vector<const Kernels*> kernels_here();

/// The kernels of that name; nullptr if they do not run here.
const Kernels* find_kernels(std::string_view name);

}  // namespace hired
