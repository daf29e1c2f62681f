#include "core/selectors/visionzip.h"

#include <cstdint>
#include <vector>

#include "core/selectors/cls.h"
#include "core/selectors/cosines.h"

namespace hired {
namespace {

// 10 / 64 of k, to the nearest whole number; halves up.
int contextual(int k) {
    return (10 * k + 32) / 64;
}

// Of the targets in the token's partition; -1 if there is none.
int most_alike(const Blocks& alike, int token, const std::vector<int>& targets) {
    const auto [first, row] = alike.row(token);
    int best = -1;
    for (const int target : targets) {
        if (alike.of[target] != alike.of[token]) continue;
        if (best < 0 || row[target - first] > row[best - first]) best = target;
    }
    return best;
}

}  // namespace

Chosen select_visionzip(const Candidates& candidates, int k) {
    const int n = candidates.size(), n_targets = contextual(k);
    Chosen chosen = select_cls(candidates, k - n_targets);
    if (n_targets == 0) return chosen;
    std::vector<std::uint8_t> dominant(n, 0);
    for (const int token : chosen.kept) dominant[token] = 1;
    std::vector<int> rest, targets;
    for (int i = 0; i < n; ++i) {
        if (!dominant[i]) rest.push_back(i);
    }
    const int step = static_cast<int>(rest.size()) / n_targets;
    for (int i = 0; i < n_targets; ++i) targets.push_back(rest[static_cast<std::size_t>(i) * step]);

    const Blocks alike = cosines(candidates.products);
    chosen.merged.assign(n, -1);
    for (const int token : rest) chosen.merged[token] = most_alike(alike, token, targets);
    for (const int target : targets) chosen.merged[target] = -1;
    chosen.kept.insert(chosen.kept.end(), targets.begin(), targets.end());
    return chosen;
}

}  // namespace hired
