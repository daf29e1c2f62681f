// Attention of every token to every token, in float32.
#pragma once

namespace hired {

/// out = softmax(scale * q k^T) v per partition and head. All four are contiguous [partitions, tokens, heads,
/// width]. Kernels::attend does the share of one thread of `threads`: whole heads.
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

}  // namespace hired
