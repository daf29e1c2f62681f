// VisionZip (arXiv 2412.04467): dominant tokens as they are, and contextual tokens that others are merged
// into.
#pragma once

#include "core/selectors/candidates.h"

namespace hired {

/// Of the k, 10 in 64 are contextual (rounded to the nearest): the others are those with most CLS attention.
/// Contextual are every (m / contextual)-th of the m that are left, in their order; each other one is merged
/// into the contextual token of its partition with the highest cosine, ties to the lower index; where there
/// is none it is dropped.
Chosen select_visionzip(const Candidates& candidates, int k);

}  // namespace hired
