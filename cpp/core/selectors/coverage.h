// Greedy coverage: the pick that helps those most whom nobody has helped yet.
#pragma once

#include <span>

#include "core/selectors/candidates.h"

namespace hired {

/// k candidates, one after another: each the j with the highest
///   weights[j] * (sum_i max(0, worth_ji - most of worth_si) + sum_w max(0, words_wj - most of words_ws)),
/// the most over the chosen s, and 0 where there is none. `worth` [n, n] is what j is to the candidate i, as
/// far as it is known, `words` [words, n] what it is to a word. Weights [n] are not negative. Ties to the
/// lower index. What j is worth is its first gain. A gain only falls as picks are added, so few of them are
/// computed again for a pick.
Chosen pick_covering(const Blocks& worth, const Matrix& words, std::span<const double> weights, int k);

}  // namespace hired
