// Which tokens of a partition stay: the ones with most head-summed CLS attention (Algorithm 1, phase 2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tiling.h"

namespace hired {

/// Sums attention [heads, N] over the heads, in double: a score for each of the N tokens.
std::vector<double> head_sum(std::span<const float> attention, int heads);

/// The k candidates with the highest scores, ties to the lower index; in no particular order.
/// Throws InputError unless 0 <= k <= candidates.size().
std::vector<int> top_k(std::span<const double> scores, std::vector<int> candidates, int k);

/// All token indices of a partition, without those of the padding unless they are asked for.
std::vector<int> candidates(const Tiling& tiling, int partition, bool with_padding);

/// Throws InputError naming `name` unless `attention` is [partitions, heads, tokens] of the tiling and not
/// negative; NumericError naming partition, head and token where it is NaN or infinite.
void check_attention(const char* name, std::span<const float> attention, int heads, const Tiling& tiling);

}  // namespace hired
