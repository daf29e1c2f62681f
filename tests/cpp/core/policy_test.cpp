#include "core/policy.h"

#include <doctest/doctest.h>

#include <numeric>

#include "core/error.h"
#include "tilings.h"

using namespace hired;

namespace {
Evidence seen(const std::vector<float>& first, const std::vector<float>& last) {
    return {.attn_first = first, .attn_last = last, .heads = 1};
}
}  // namespace

TEST_CASE("Algorithm 1 on two tiles, one head") {
    const Tiling t = small_tiling({8, 16}, {1, 2});
    const std::vector<float> first{1, 3, 1, 3, 0, 0,
                                   0, 0, 0, 0, 0, 0};  // of 8, the left tile has 2, the right 6
    const std::vector<float> last{4, 1, 2, 3, 1, 2, 3, 4, 4, 3, 2, 1};
    const Selection kept = select_tokens(seen(first, last), t, {.tokens = 8, .alpha = 0.5});
    CHECK(kept.counts == Ints{4, 1, 3});
    CHECK(kept.mask == std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0});
}

TEST_CASE("the budget is kept exactly, or all that is not padding") {
    const Tiling t = small_tiling({5, 16}, {2, 2});
    const std::vector<float> even(t.total(), 1.0F);
    for (const Allocation allocation :
         {Allocation::hired, Allocation::uniform, Allocation::globalcom2, Allocation::joint}) {
        for (int tokens = 1; tokens <= t.total(); ++tokens) {
            const auto kept =
                select_tokens(seen(even, even), t, {.tokens = tokens, .allocation = allocation});
            const auto room = capacities(t);
            CHECK(std::accumulate(kept.counts.begin(), kept.counts.end(), 0) ==
                  std::min(tokens, std::accumulate(room.begin(), room.end(), 0)));
        }
    }
}

TEST_CASE("options that are not allowed") {
    const Tiling t = single_tiling();
    const std::vector<float> even(4, 1.0F);
    CHECK_THROWS_WITH_AS(select_tokens(seen(even, even), t, {.tokens = 5}),
                         "[budget] 5 tokens exceed the 4 there are", BudgetError);
    CHECK_THROWS_WITH_AS(select_tokens(seen(even, even), t, {.tokens = 1, .alpha = 1.5}),
                         "[budget] alpha 1.5 is outside [0, 1]", BudgetError);
    CHECK_THROWS_WITH_AS(select_tokens(seen(even, even), t, {.allocation = static_cast<Allocation>(7)}),
                         "[budget] allocation 7; allowed: hired, official, uniform, globalcom2, joint",
                         BudgetError);
    CHECK_THROWS_WITH_AS(select_tokens(seen(even, even), t, {.selection = "mine"}),
                         "[select] selection 'mine'; allowed: cls, scope, cen-div, cen-dpp, visionzip, mmtok",
                         BudgetError);
}

TEST_CASE("joint takes the best tokens wherever they are") {
    const Tiling t = small_tiling({8, 16}, {1, 2});
    const std::vector<float> even(t.total(), 1.0F);
    const std::vector<float> last{4, 1, 9, 3, 8, 2, 3, 4, 4, 3, 2, 7};
    const Selection kept = select_tokens(seen(even, last), t, {.tokens = 3, .allocation = Allocation::joint});
    CHECK(kept.counts == Ints{1, 1, 1});
    CHECK(kept.mask == std::vector<std::uint8_t>{0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1});
    CHECK(kept.worth == Doubles(last.begin(), last.end()));
    CHECK(kept.merged.empty());
}

TEST_CASE("what a selection needs must be there, and be sound") {
    const Tiling t = single_tiling();
    const std::vector<float> even(4, 1.0F), rows{1, 0, 0, 1, 1, 1, 0, 0}, words{1, 0, 0};
    Evidence evidence = seen(even, even);
    const auto run = [&](std::string_view name) { select_tokens(evidence, t, {.selection = name}); };
    CHECK_THROWS_WITH_AS(run("scope"),
                         "[select] selection 'scope' needs rows: the projected row of each token, [P, N, D]",
                         InputError);
    evidence.rows = rows;
    evidence.width = 3;
    CHECK_THROWS_WITH_AS(run("scope"), "[select] rows holds 8 numbers; [1, 4, 3] are needed", InputError);
    evidence.width = 2;
    CHECK_NOTHROW(run("scope"));
    CHECK_THROWS_WITH_AS(
        run("mmtok"),
        "[select] selection 'mmtok' needs question: the embedding of each of its words, [words, D]",
        InputError);
    evidence.question = words;
    evidence.words = 1;
    CHECK_THROWS_WITH_AS(run("mmtok"),
                         "[select] question holds 3 numbers; [1, 2] are needed, as wide as the rows",
                         InputError);
    evidence.question = std::span(words).first(2);
    CHECK_NOTHROW(run("mmtok"));
    const std::vector<float> long_rows(8, 1e19F);
    evidence.rows = long_rows;
    CHECK_THROWS_WITH_AS(run("mmtok"),
                         "[select] the row of partition 0, token 0 has the squared length 2e+38; "
                         "0 to 1e+37 is allowed",
                         NumericError);
}
