#include "core/selectors/coverage.h"

#include <algorithm>
#include <queue>
#include <vector>

namespace hired {
namespace {

struct Bound {
    double gain;  // at most
    int index;
    int round;  // of the pick before which it was computed

    bool operator<(const Bound& other) const {
        return gain != other.gain ? gain < other.gain : index > other.index;
    }
};

void cover(std::span<float> covered, std::span<const float> row) {
    for (std::size_t i = 0; i < row.size(); ++i) covered[i] = std::max(covered[i], row[i]);
}

Matrix transposed(const Matrix& m) {
    Matrix out{.rows = m.cols, .cols = m.rows, .values = std::vector<float>(m.values.size())};
    for (int i = 0; i < m.rows; ++i) {
        for (int j = 0; j < m.cols; ++j) out.values[static_cast<std::size_t>(j) * m.rows + i] = m.at(i, j);
    }
    return out;
}

// What the picks so far cover.
struct Coverage {
    const Blocks& worth;
    Matrix words;  // [n, words]
    std::vector<float> covered, covered_words;

    Coverage(const Blocks& to_candidates, const Matrix& to_words)
        : worth(to_candidates),
          words(transposed(to_words)),
          covered(to_candidates.size(), 0.0F),
          covered_words(to_words.rows, 0.0F) {}

    double gain(int j) const {
        const auto [first, row] = worth.row(j);
        const double more = sum_above(row, std::span(covered).subspan(first, row.size()));
        return covered_words.empty() ? more : more + sum_above(words.row(j), covered_words);
    }

    void add(int j) {
        const auto [first, row] = worth.row(j);
        cover(std::span(covered).subspan(first), row);
        if (!covered_words.empty()) cover(covered_words, words.row(j));
    }
};

}  // namespace

Chosen pick_covering(const Blocks& worth, const Matrix& words, std::span<const double> weights, int k) {
    Coverage coverage(worth, words);
    const auto bound = [&](int j, int round) -> Bound {
        return {.gain = weights[j] * coverage.gain(j), .index = j, .round = round};
    };
    Chosen chosen;
    std::priority_queue<Bound> best;
    for (int j = 0; j < worth.size(); ++j) {
        const Bound first = bound(j, 0);
        chosen.worth.push_back(first.gain);
        best.push(first);
    }
    while (std::ssize(chosen.kept) < k) {
        const Bound top = best.top();
        best.pop();
        const int round = static_cast<int>(chosen.kept.size());
        if (top.round < round) {
            best.push(bound(top.index, round));
            continue;
        }
        chosen.kept.push_back(top.index);
        coverage.add(top.index);
    }
    return chosen;
}

}  // namespace hired
