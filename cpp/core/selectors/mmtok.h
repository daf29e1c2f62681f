// MMTok (arXiv 2508.18264): tokens that cover the question's words and the picture together.
#pragma once

#include "core/selectors/candidates.h"

namespace hired {

/// Greedy: the candidate that adds most to the sum, over the rows of [P; 0.5 Q], of the best chosen entry.
/// P [words, n] is the softmax over the candidates of a word's cosines / 0.02, divided by the number of
/// words; Q [n, n] the softmax of a candidate's cosines / 0.2 with its partition, divided by n. Ties to the
/// lower index.
Chosen select_mmtok(const Candidates& candidates, int k);

}  // namespace hired
