#include "core/selectors/cen_div.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "core/selectors/cosines.h"

namespace hired {

namespace {

// k candidates, one after another: the one with the highest worth times distance from those before it.
std::vector<int> pick_apart(const Blocks& alike, std::span<const double> worth, int k) {
    constexpr double kFarthest = 2;  // 1 - cos of opposite rows
    constexpr double kChosen = -1;   // below every score
    const int n = alike.size();
    std::vector<double> distance(n, kFarthest), score(n);
    for (int i = 0; i < n; ++i) score[i] = worth[i] * kFarthest;
    std::vector<int> picks;
    while (static_cast<int>(picks.size()) < k) {
        const int best = static_cast<int>(std::ranges::max_element(score) - score.begin());
        picks.push_back(best);
        const auto [first, row] = alike.row(best);
        for (int i = first; i < first + std::ssize(row); ++i) {
            distance[i] = std::min(distance[i], 1.0 - row[i - first]);
            if (score[i] != kChosen) score[i] = worth[i] * distance[i];
        }
        score[best] = kChosen;
    }
    return picks;
}

}  // namespace

Chosen select_cen_div(const Candidates& candidates, int k) {
    std::vector<double> worth = distinctness(candidates);
    std::vector<int> kept = pick_apart(centred_cosines(candidates), worth, k);
    return {.kept = std::move(kept), .worth = std::move(worth), .merged = {}};
}

}  // namespace hired
