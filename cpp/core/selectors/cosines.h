// How alike tokens are, from the dot products of their rows.
#pragma once

#include <vector>

#include "core/selectors/candidates.h"

namespace hired {

/// 1 / length of each row, 0 for one without.
std::vector<double> inverse_lengths(const Blocks& products);

/// Where the rows lie, given their products.
Centre centre_of(const Rows& rows, const Blocks& products);

/// Cosines from dot products. A row without length is like no other.
Blocks cosines(Blocks products);

/// The cosines of the rows less the mean of all: what all tokens share says nothing of a token.
Blocks centred_cosines(const Candidates& candidates);

/// For each row less its mean cosine with all others, brought to [0, 1]: how unlike the others it is.
std::vector<double> distinctness(const Candidates& candidates);

/// Brings numbers to [0, 1]; all 1 where they are equal, up to a millionth.
std::vector<double> to_unit_range(std::vector<double> numbers);

}  // namespace hired
