// Dot products of rows: all that selectors ask of what tokens look like.
#pragma once

#include <span>
#include <vector>

namespace hired {

/// Numbers in rows and columns.
struct Matrix {
    int rows = 0;
    int cols = 0;
    std::vector<float> values;  // [rows, cols]

    std::span<const float> row(int i) const {
        return std::span(values).subspan(static_cast<std::size_t>(i) * cols, cols);
    }
    float at(int i, int j) const { return values[static_cast<std::size_t>(i) * cols + j]; }
};

/// A square matrix of which only blocks on the diagonal are known.
struct Blocks {
    /// The known numbers of a row, and the column of the first of them.
    struct Row {
        int first = 0;
        std::span<const float> values;
    };

    std::vector<Matrix> blocks;
    std::vector<int> first;  // [blocks], the row at which each begins
    std::vector<int> of;     // [n], the block of each row

    int size() const { return static_cast<int>(of.size()); }
    Row row(int i) const {
        const int begin = first[of[i]];
        return {.first = begin, .values = blocks[of[i]].row(i - begin)};
    }
    float diagonal(int i) const { return row(i).values[i - row(i).first]; }
};

/// Rows of `width` numbers each, wherever they lie.
struct Rows {
    std::vector<const float*> at;
    int width = 0;

    int size() const { return static_cast<int>(at.size()); }
};

/// The dot products of each row of `a` with each of `b`, in float32. On one CPU a number depends on its two
/// rows alone: not on where they stand, nor on the number of threads (at most two).
Matrix products(const Rows& a, const Rows& b);

/// The dot products of each two rows of the same group: products(a, a) in half of the time. `groups` [n] has
/// a number for each row; rows of a group stand together.
Blocks products(const Rows& a, std::span<const int> groups);

/// The sum of the rows [width], each times its weight.
std::vector<float> weighted_sum(const Rows& rows, std::span<const double> weights);

/// The sum of max(0, row - floor), number by number. It never grows as the floor rises.
float sum_above(std::span<const float> row, std::span<const float> floor);

}  // namespace hired
