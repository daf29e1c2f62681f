// A ggml device that multiplies by Q4_0 weights with the kernels of cpp/kernels.
#pragma once

namespace hired {

/// While it is offered, models that are loaded and contexts that are made in this process use it: Q4_0
/// matrices stay in the file's own layout, mapped, instead of being repacked by ggml. They keep using it
/// afterwards. Calls are counted; each needs its withdraw_q4_device. Needs the kernels "avx512". Not thread-safe.
void offer_q4_device();
void withdraw_q4_device();

}  // namespace hired
