#include "core/policy.h"

#include <doctest/doctest.h>

#include <numeric>

#include "core/error.h"
#include "tilings.h"

using namespace hired;

TEST_CASE("Algorithm 1 on two tiles, one head") {
    const Tiling t = small_tiling({8, 16}, {1, 2});
    const std::vector<float> first{1, 3, 1, 3, 0, 0,
                                   0, 0, 0, 0, 0, 0};  // of 8, the left tile has 2, the right 6
    const std::vector<float> last{4, 1, 2, 3, 1, 2, 3, 4, 4, 3, 2, 1};
    const Selection kept = select_tokens(first, last, 1, t, {.tokens = 8, .alpha = 0.5});
    CHECK(kept.counts == Ints{4, 1, 3});
    CHECK(kept.mask == std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0});
}

TEST_CASE("the budget is kept exactly, or all that is not padding") {
    const Tiling t = small_tiling({5, 16}, {2, 2});
    const std::vector<float> even(t.total(), 1.0F);
    for (const Allocation allocation : {Allocation::hired, Allocation::uniform}) {
        for (int tokens = 1; tokens <= t.total(); ++tokens) {
            const auto kept = select_tokens(even, even, 1, t, {.tokens = tokens, .allocation = allocation});
            const auto room = capacities(t);
            CHECK(std::accumulate(kept.counts.begin(), kept.counts.end(), 0) ==
                  std::min(tokens, std::accumulate(room.begin(), room.end(), 0)));
        }
    }
}

TEST_CASE("options that are not allowed") {
    const Tiling t = single_tiling();
    const std::vector<float> even(4, 1.0F);
    CHECK_THROWS_WITH_AS(select_tokens(even, even, 1, t, {.tokens = 5}),
                         "[budget] 5 tokens exceed the 4 there are", BudgetError);
    CHECK_THROWS_WITH_AS(select_tokens(even, even, 1, t, {.tokens = 1, .alpha = 1.5}),
                         "[budget] alpha 1.5 is outside [0, 1]", BudgetError);
    CHECK_THROWS_WITH_AS(select_tokens(even, even, 1, t, {.allocation = static_cast<Allocation>(7)}),
                         "[budget] allocation 7; allowed: hired, official, uniform", BudgetError);
}
