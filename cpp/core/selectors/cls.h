// HiRED's own (arXiv 2408.10945, Algorithm 1, phase 2; alone it is FasterVLM, arXiv 2412.01818).
#pragma once

#include "core/selectors/candidates.h"

namespace hired {

/// The k candidates with most CLS attention, ties to the lower index.
Chosen select_cls(const Candidates& candidates, int k);

}  // namespace hired
