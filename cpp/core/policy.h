// Algorithm 1 of arXiv 2408.10945 as a whole. A policy is an allocation (how many tokens each partition
// keeps) and a selection (which ones); the two know nothing of each other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/allocate.h"
#include "core/tiling.h"

namespace hired {

struct PolicyOptions {
    int tokens = 1;  // the budget, 1 to partitions * tokens of the tiling
    double alpha = 0.5;
    Allocation allocation = Allocation::hired;
};

struct Selection {
    std::vector<std::uint8_t> mask;  // [P * N], 1 where the token stays
    std::vector<int> counts;         // [P], tokens that stay
};

/// `attn_first` and `attn_last` are the CLS attention of the first and the last executed layer,
/// [P, heads, N] without the column of CLS itself. Padding is never kept, except by the official allocation,
/// whose padding is dropped only when it is packed.
/// Throws BudgetError (tokens, alpha), InputError (sizes, negative numbers), NumericError (NaN, infinity).
Selection select_tokens(std::span<const float> attn_first, std::span<const float> attn_last, int heads,
                        const Tiling& tiling, const PolicyOptions& options);

}  // namespace hired
