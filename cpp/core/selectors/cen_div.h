// Cen-Prune's Div: DivPrune (arXiv 2503.02175) on centred rows.
#pragma once

#include "core/selectors/candidates.h"

namespace hired {

/// Greedy: the candidate with the highest g_i * (1 - the highest centred cosine with a chosen one), where g_i
/// is its distinctness. Where none of its partition is chosen yet, the distance is the largest there is, 2.
/// Ties to the lower index.
Chosen select_cen_div(const Candidates& candidates, int k);

}  // namespace hired
