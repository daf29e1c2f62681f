// The products of ggml's CPU backend by the weights of a weights_device.
#pragma once

#include <ggml-backend-impl.h>

namespace hired {

struct Kernels;

/// Which kernels multiply by weights in such a buffer; nullptr for buffers that are not ours.
using KernelsOfBuffer = const Kernels* (*)(ggml_backend_buffer_t buffer);

/// True if one of our kernels can compute the operation, wherever its weights are.
bool can_multiply(const ggml_tensor* op);

/// Whether this build of ggml's CPU backend has the hook that hook_cpu_products needs: extra buffer types.
bool has_cpu_hook();

/// From now on ggml's CPU backend asks `kernels_of` about each product. Once for the process; needs
/// has_cpu_hook().
void hook_cpu_products(KernelsOfBuffer kernels_of);

}  // namespace hired
