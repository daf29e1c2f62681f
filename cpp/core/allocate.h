// How the token budget is shared among the partitions (Algorithm 1, phase 1, of arXiv 2408.10945).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/tiling.h"

namespace hired {

enum class Allocation {
    hired,       // the paper: in proportion to the early CLS attention in each tile's region
    official,    // the authors' released code, its bugs included
    uniform,     // the same for every partition
    globalcom2,  // GlobalCom2: in proportion to patches, more where the last layer's CLS logits are high
    joint,       // no shares: the selection is one run over all partitions
};

/// Throws BudgetError for an unknown name.
Allocation parse_allocation(std::string_view name);

/// For each tile the sum of `scores` [N] of the full image's patches, each counted by the share of its area
/// that lies in the tile, times fitted.height * fitted.width: in that unit the shares are whole numbers.
std::vector<double> region_mass(std::span<const double> scores, const Tiling& tiling);

/// Each returns tokens per partition [P]. `scores` [N] is the head-summed first-layer CLS attention of the
/// full image, `budget` the tokens to share out, 1 to P * N, `alpha` in [0, 1] the full image's part of them.

/// floor(alpha * budget) for the full image, the rest by region mass; what the tiles have no room for goes
/// back to the full image. Sums to exactly min(budget, all tokens that are not padding).
std::vector<int> allocate_hired(std::span<const double> scores, const Tiling& tiling, int budget,
                                double alpha);

/// A tile's weight is a count: how many of the first layer's top int(N * (1 - alpha)) patches lie in the
/// tile's share of the flat token list. Quotas in float32, floored and clamped to N, nothing shared out
/// again, padding counted as tokens: the sum may be less than the budget.
std::vector<int> allocate_official(std::span<const double> scores, const Tiling& tiling, int budget,
                                   double alpha);

/// Equal quotas, full image included. Sums to exactly min(budget, all tokens that are not padding).
std::vector<int> allocate_uniform(const Tiling& tiling, int budget);

/// GlobalCom2 (arXiv 2501.05179): the full image weighs as much as it has patches, a tile its patches times
/// 1 + softmax over the n tiles of (its region's CLS logits / 10) - 1 / n. `attention` [heads, N] is the full
/// image's of the last layer. A patch's logit is the mean over the heads of log attention, less the mean of
/// all patches, since attention tells logits up to a number for each head. Sums to exactly min(budget, all
/// tokens that are not padding).
std::vector<int> allocate_globalcom2(std::span<const float> attention, int heads, const Tiling& tiling,
                                     int budget);

}  // namespace hired
