#include "core/selectors/cen_dpp.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/selectors/cosines.h"

namespace hired {
namespace {

constexpr double kExplained = 1e-3;  // of a candidate's own variance

// Cholesky's factor of the kernel, a row for each pick, and what is left of each candidate's variance.
struct Volume {
    const Blocks& alike;
    std::vector<std::vector<std::vector<float>>> factor;  // by block
    std::vector<double> left;

    explicit Volume(const Blocks& cosines)
        : alike(cosines), factor(cosines.blocks.size()), left(cosines.size()) {
        for (int i = 0; i < alike.size(); ++i) left[i] = alike.diagonal(i);
    }

    void add(int pick) {
        const double root = std::sqrt(left[pick]);
        const auto [first, row] = alike.row(pick);
        auto& before = factor[alike.of[pick]];
        std::vector<float> e(row.begin(), row.end());
        for (const auto& other : before) {
            const float weight = other[pick - first];
            for (std::size_t i = 0; i < e.size(); ++i) e[i] -= weight * other[i];
        }
        for (std::size_t i = 0; i < e.size(); ++i) {
            e[i] = static_cast<float>(e[i] / root);
            left[first + i] -= static_cast<double>(e[i]) * e[i];
        }
        before.push_back(std::move(e));
    }
};

std::vector<double> quality(const Candidates& candidates) {
    std::vector<double> q = to_unit_range(candidates.attention);
    const std::vector<double> g = distinctness(candidates);
    for (std::size_t i = 0; i < q.size(); ++i) q[i] *= g[i];
    return q;
}

}  // namespace

Chosen select_cen_dpp(const Candidates& candidates, int k) {
    const Blocks alike = centred_cosines(candidates);
    const std::vector<double> q = quality(candidates);
    Volume volume(alike);
    std::vector<std::uint8_t> open(q.size(), 1);
    std::vector<int> kept;
    // The kernel's factor is q times the cosines' factor, so q may wait until here.
    const auto gain = [&](int i) { return volume.left[i] > kExplained ? q[i] * q[i] * volume.left[i] : 0; };
    const auto better = [&](int i, int than) {
        if (than < 0) return true;
        const double a = gain(i), b = gain(than);
        return a != b ? a > b : a == 0 && q[i] > q[than];
    };
    while (static_cast<int>(kept.size()) < k) {
        int best = -1;
        for (int i = 0; i < candidates.size(); ++i) {
            if (open[i] && better(i, best)) best = i;
        }
        open[best] = 0;
        kept.push_back(best);
        if (gain(best) > 0) volume.add(best);
    }
    return {.kept = std::move(kept), .worth = q, .merged = {}};
}

}  // namespace hired
