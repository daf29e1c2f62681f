// What a selector chooses from, and what it gives back.
#pragma once

#include <vector>

#include "core/products.h"

namespace hired {

/// Where the rows of all candidates lie, of whatever partition.
struct Centre {
    std::vector<float> with_mean;  // [n], the dot product of each row with the mean of all rows
    double squared = 0;            // the squared length of that mean
    std::vector<double> likeness;  // [n], the sum of each row's cosines with all rows, itself included
};

/// The tokens that a selector chooses among, n of them, and what is known of them. Those of a partition stand
/// together; rows of different partitions are not compared. What a selector does not need (see
/// core/selector.h) is empty.
struct Candidates {
    std::vector<double> attention;  // [n], head-summed CLS attention of the last executed layer
    Blocks products;                // [n, n], the dot products of their rows
    Centre centre;
    Matrix words;  // [words, n], the cosines of the question's words with their rows

    int size() const { return static_cast<int>(attention.size()); }
};

/// What a selector found.
struct Chosen {
    std::vector<int> kept;      // indices of candidates, in no particular order, each once
    std::vector<double> worth;  // [n], what each candidate was worth before the first pick
    std::vector<int> merged;    // [n], the kept one that a dropped one is merged into, else -1; may be empty
};

}  // namespace hired
