#include "core/selectors/cls.h"

#include <numeric>
#include <vector>

#include "core/select.h"

namespace hired {

Chosen select_cls(const Candidates& candidates, int k) {
    std::vector<int> all(candidates.size());
    std::iota(all.begin(), all.end(), 0);
    return {
        .kept = top_k(candidates.attention, std::move(all), k), .worth = candidates.attention, .merged = {}};
}

}  // namespace hired
