// Cen-Prune's DPP with CLS attention as relevance: CDPruner (arXiv 2506.10967) on centred rows.
#pragma once

#include "core/selectors/candidates.h"

namespace hired {

/// Greedy MAP of a determinantal point process with the kernel L_ij = q_i * centred cos_ij * q_j, where q is
/// CLS attention, brought to [0, 1], times distinctness. Each pick is the candidate that widens the volume of
/// the chosen most. What the chosen explain to 99.9 % widens nothing; where nobody does, the rest goes by q.
/// Ties to the lower index.
Chosen select_cen_dpp(const Candidates& candidates, int k);

}  // namespace hired
