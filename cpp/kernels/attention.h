// Attention of every token to every token, in float32.
#pragma once

namespace hired {

/// out = softmax(scale * q k^T) v per partition and head. All four are contiguous [partitions, tokens, heads,
/// width].
struct Attention {
    int partitions = 0;
    int tokens = 0;
    int heads = 0;
    int width = 0;
    float scale = 1;
    const float* q = nullptr;
    const float* k = nullptr;
    const float* v = nullptr;
    float* out = nullptr;
};

/// Does the share of one thread of `threads`: whole heads. Needs have_kernels().
void attend(const Attention& attention, int thread = 0, int threads = 1);

}  // namespace hired
