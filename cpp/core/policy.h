// Algorithm 1 of arXiv 2408.10945 as a whole, and its relatives. A policy is an allocation (how many tokens
// each partition keeps) and a selection (which ones); the two know nothing of each other.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/allocate.h"
#include "core/evidence.h"
#include "core/tiling.h"

namespace hired {

struct PolicyOptions {
    int tokens = 1;  // the budget, 1 to partitions * tokens of the tiling
    double alpha = 0.5;
    Allocation allocation = Allocation::hired;
    std::string_view selection = "cls";  // a name of core/selector.h
};

struct Selection {
    std::vector<std::uint8_t> mask;  // [P * N], 1 where the token stays
    std::vector<int> counts;         // [P], tokens that stay
    std::vector<double> worth;       // [P * N], what the selection found a token worth before its first pick;
                                     // 0 where there was nothing to choose
    std::vector<int> merged;         // [P * N], the id of the kept token that a token is merged into, or -1;
                                     // may be empty where nothing is
};

/// Padding is never kept, except by the official allocation, whose padding is dropped only when it is packed.
/// Throws BudgetError (tokens, alpha, names), InputError (sizes, negative attention, rows or a question that
/// the selection needs and that are not there), NumericError (NaN, infinity, squared lengths that overflow).
Selection select_tokens(const Evidence& evidence, const Tiling& tiling, const PolicyOptions& options);

}  // namespace hired
