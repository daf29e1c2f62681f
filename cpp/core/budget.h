// The token budget: how many visual tokens stay, and how a number of them is shared out exactly.
#pragma once

#include <span>
#include <vector>

namespace hired {

/// Both throw InputError: partitions or tokens below 1, or a product of them above 2147483647.

/// floor(fraction * partitions * tokens). Throws BudgetError: fraction outside (0, 1], or too small for a
/// token.
int budget_tokens(double fraction, int partitions, int tokens);

/// The count itself. Throws BudgetError unless 1 <= count <= partitions * tokens.
int budget_tokens(long long count, int partitions, int tokens);

/// Shares `total` tokens out in proportion to `weights`, never more than `capacities`: entries whose quota
/// reaches their capacity are filled, the rest is shared out again among the others; then floors, and the
/// remainder goes to the largest fractions (lower index first). Weights that sum to zero count as free room.
/// The result sums to exactly min(total, sum of capacities).
/// Throws InputError: sizes differ, a negative number, a weight above 1e290 or not finite.
std::vector<int> distribute(int total, std::span<const double> weights, std::span<const int> capacities);

}  // namespace hired
