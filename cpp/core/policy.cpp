#include "core/policy.h"

#include "core/budget.h"
#include "core/error.h"
#include "core/select.h"

namespace hired {
namespace {

void check(const Tiling& tiling, const PolicyOptions& options) {
    budget_tokens(static_cast<long long>(options.tokens), tiling.partitions, tiling.tokens);
    if (!(options.alpha >= 0 && options.alpha <= 1)) {
        throw BudgetError(text("[budget] alpha ", options.alpha, " is outside [0, 1]"));
    }
}

std::vector<int> allocate(std::span<const double> scores, const Tiling& tiling,
                          const PolicyOptions& options) {
    switch (options.allocation) {
        case Allocation::hired:
            return allocate_hired(scores, tiling, options.tokens, options.alpha);
        case Allocation::official:
            return allocate_official(scores, tiling, options.tokens, options.alpha);
        case Allocation::uniform:
            return allocate_uniform(tiling, options.tokens);
    }
    throw BudgetError(text("[budget] allocation ", static_cast<int>(options.allocation),
                           "; allowed: hired, official, uniform"));
}

}  // namespace

Selection select_tokens(std::span<const float> attn_first, std::span<const float> attn_last, int heads,
                        const Tiling& tiling, const PolicyOptions& options) {
    check(tiling, options);
    check_attention("attn_first", attn_first, heads, tiling);
    check_attention("attn_last", attn_last, heads, tiling);

    const std::size_t block = static_cast<std::size_t>(heads) * tiling.tokens;
    const bool with_padding = options.allocation == Allocation::official;
    Selection kept{.mask = std::vector<std::uint8_t>(tiling.total(), 0),
                   .counts = allocate(head_sum(attn_first.first(block), heads), tiling, options)};
    for (int p = 0; p < tiling.partitions; ++p) {
        const auto scores = head_sum(attn_last.subspan(p * block, block), heads);
        for (const int token : top_k(scores, candidates(tiling, p, with_padding), kept.counts[p])) {
            kept.mask[p * tiling.tokens + token] = 1;
        }
    }
    return kept;
}

}  // namespace hired
