// A ggml device that takes in the weights whose products have kernels in cpp/kernels.
#pragma once

struct ggml_backend_buffer;  // NOLINT(readability-identifier-naming)

namespace hired {

struct Kernels;

/// Whether this build of ggml's CPU backend lets others multiply: nothing may be offered otherwise.
bool can_offer_kernels();

/// While it is offered, models that are loaded in this process leave quantised matrices in the file's own
/// layout, mapped, where ggml would repack a copy; ggml's CPU backend then multiplies by them with these
/// kernels. The models keep using them afterwards. Calls are counted; each needs its withdraw_kernels. Not
/// thread-safe.
void offer_kernels(const Kernels& kernels);
void withdraw_kernels(const Kernels& kernels);

/// Has ggml's CPU backend multiply with these kernels by the quantised matrices in a buffer of the host's.
/// Needs can_offer_kernels().
void adopt(ggml_backend_buffer& buffer, const Kernels& kernels);

}  // namespace hired
