#include "core/policy.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/budget.h"
#include "core/error.h"
#include "core/select.h"
#include "core/selector.h"

namespace hired {
namespace {

// Ids partition * N + token that one run of a selector chooses among, and how many of them stay.
struct Pool {
    std::vector<int> ids;
    int keep = 0;
};

void check(const Tiling& tiling, const PolicyOptions& options) {
    budget_tokens(static_cast<long long>(options.tokens), tiling.partitions, tiling.tokens);
    if (!(options.alpha >= 0 && options.alpha <= 1)) {
        throw BudgetError(text("[budget] alpha ", options.alpha, " is outside [0, 1]"));
    }
}

std::vector<int> allocate(const Evidence& evidence, const Tiling& tiling, const PolicyOptions& options) {
    const std::size_t block = static_cast<std::size_t>(evidence.heads) * tiling.tokens;
    const auto first = [&] { return head_sum(evidence.attn_first.first(block), evidence.heads); };
    switch (options.allocation) {
        case Allocation::hired:
            return allocate_hired(first(), tiling, options.tokens, options.alpha);
        case Allocation::official:
            return allocate_official(first(), tiling, options.tokens, options.alpha);
        case Allocation::uniform:
            return allocate_uniform(tiling, options.tokens);
        case Allocation::globalcom2:
            return allocate_globalcom2(evidence.attn_last.first(block), evidence.heads, tiling,
                                       options.tokens);
        case Allocation::joint:
            break;  // see pools_of
    }
    throw BudgetError(text("[budget] allocation ", static_cast<int>(options.allocation),
                           "; allowed: hired, official, uniform, globalcom2, joint"));
}

std::vector<int> ids_of(const Tiling& tiling, int partition, bool with_padding) {
    std::vector<int> ids = candidates(tiling, partition, with_padding);
    for (int& id : ids) id += partition * tiling.tokens;
    return ids;
}

// A pool for each partition, or one for all of them.
std::vector<Pool> pools_of(const Evidence& evidence, const Tiling& tiling, const PolicyOptions& options) {
    std::vector<Pool> pools(options.allocation == Allocation::joint ? 1 : tiling.partitions);
    const bool with_padding = options.allocation == Allocation::official;
    for (int p = 0; p < tiling.partitions; ++p) {
        auto& ids = pools[std::min<std::size_t>(p, pools.size() - 1)].ids;
        const std::vector<int> more = ids_of(tiling, p, with_padding);
        ids.insert(ids.end(), more.begin(), more.end());
    }
    if (options.allocation == Allocation::joint) {
        pools[0].keep = std::min(options.tokens, static_cast<int>(pools[0].ids.size()));
        return pools;
    }
    const std::vector<int> counts = allocate(evidence, tiling, options);
    for (int p = 0; p < tiling.partitions; ++p) pools[p].keep = counts[p];
    return pools;
}

// Where everything stays there is nothing to choose, and nothing is computed.
Chosen choose(const Selector& selector, const Evidence& evidence, const Tiling& tiling, const Pool& pool) {
    if (pool.keep > 0 && pool.keep < std::ssize(pool.ids)) {
        return selector.choose(candidates_of(evidence, tiling, pool.ids, selector), pool.keep);
    }
    Chosen all{.kept = std::vector<int>(pool.keep), .worth = {}, .merged = {}};
    std::iota(all.kept.begin(), all.kept.end(), 0);
    return all;
}

void note(const Chosen& chosen, const Pool& pool, const Tiling& tiling, Selection& kept) {
    for (const int i : chosen.kept) {
        kept.mask[pool.ids[i]] = 1;
        ++kept.counts[pool.ids[i] / tiling.tokens];
    }
    for (std::size_t i = 0; i < chosen.worth.size(); ++i) kept.worth[pool.ids[i]] = chosen.worth[i];
    if (chosen.merged.empty()) return;
    kept.merged.resize(tiling.total(), -1);
    for (std::size_t i = 0; i < chosen.merged.size(); ++i) {
        if (chosen.merged[i] >= 0) kept.merged[pool.ids[i]] = pool.ids[chosen.merged[i]];
    }
}

}  // namespace

Selection select_tokens(const Evidence& evidence, const Tiling& tiling, const PolicyOptions& options) {
    check(tiling, options);
    const Selector& selector = find_selector(options.selection);
    check_evidence(evidence, tiling, selector);
    Selection kept{.mask = std::vector<std::uint8_t>(tiling.total(), 0),
                   .counts = std::vector<int>(tiling.partitions, 0),
                   .worth = std::vector<double>(tiling.total(), 0.0),
                   .merged = {}};
    for (const Pool& pool : pools_of(evidence, tiling, options)) {
        note(choose(selector, evidence, tiling, pool), pool, tiling, kept);
    }
    return kept;
}

}  // namespace hired
