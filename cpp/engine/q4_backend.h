// The working half of q4_device: computes the products of a graph with Q4_0 weights. ggml and llama.cpp call
// it from C, so nothing here throws.
#pragma once

#include <ggml-backend-impl.h>

namespace hired {

/// A backend of the device. Its work is done by a CPU backend of ggml's, so that ggml's threads do all.
/// nullptr without memory or without such a CPU backend; llama.cpp then refuses to make the context.
ggml_backend_t make_q4_backend(ggml_backend_dev_t device) noexcept;

/// "ggml_backend_set_n_threads" and "ggml_backend_set_abort_callback" for such backends; else nullptr.
void* q4_backend_function(const char* name) noexcept;

}  // namespace hired
