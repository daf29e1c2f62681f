// SCOPE (arXiv 2510.24214): saliency times coverage.
#pragma once

#include "core/selectors/candidates.h"

namespace hired {

/// Greedy: the candidate j with the highest sum_i max(0, cos_ij - max of cos_is over the chosen s) * a_j,
/// where a_j is its CLS attention and the maximum over nobody is 0. Ties to the lower index.
Chosen select_scope(const Candidates& candidates, int k);

}  // namespace hired
