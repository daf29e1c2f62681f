// Graph operations on the kernels of cpp/kernels, for graphs that run on the CPU backend. All tensors are
// float32 and contiguous but for the weights, which are in host memory and not repacked.
#pragma once

#include <ggml.h>

namespace hired {

struct Kernels;

/// True if kernel_mul_mat takes the weights: a float32 or float16 matrix.
bool kernel_takes(const ggml_tensor* w);

/// As ggml_mul_mat(w, x).
ggml_tensor* kernel_mul_mat(ggml_context* ctx, const Kernels& kernels, ggml_tensor* w, ggml_tensor* x);

/// q, k, v [head width, heads, tokens, partitions] -> the same. softmax(q k^T / sqrt(head width)) v per head.
ggml_tensor* kernel_attention(ggml_context* ctx, const Kernels& kernels, ggml_tensor* q, ggml_tensor* k,
                              ggml_tensor* v);

}  // namespace hired
