#include "core/budget.h"

#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "core/error.h"
#include "tilings.h"

using namespace hired;

TEST_CASE("a fraction is floored, a count is itself") {
    CHECK(budget_tokens(0.2, 5, 576) == 576);
    CHECK(budget_tokens(0.1, 3, 576) == 172);
    CHECK(budget_tokens(1.0, 5, 576) == 2880);
    CHECK(budget_tokens(1LL, 5, 576) == 1);
    CHECK(budget_tokens(2880LL, 5, 576) == 2880);
}

TEST_CASE("budgets that are not allowed") {
    CHECK_THROWS_WITH_AS(budget_tokens(3000LL, 5, 576), "[budget] 3000 tokens exceed the 2880 there are",
                         BudgetError);
    CHECK_THROWS_WITH_AS(budget_tokens(0LL, 5, 576), "[budget] 0 tokens; at least 1 is allowed", BudgetError);
    CHECK_THROWS_WITH_AS(budget_tokens(1.5, 5, 576), "[budget] fraction 1.5 is outside (0, 1]", BudgetError);
    CHECK_THROWS_WITH_AS(budget_tokens(0.0, 5, 576), "[budget] fraction 0 is outside (0, 1]", BudgetError);
    CHECK_THROWS_WITH_AS(budget_tokens(std::numeric_limits<double>::quiet_NaN(), 5, 576),
                         "[budget] fraction nan is outside (0, 1]", BudgetError);
    CHECK_THROWS_WITH_AS(budget_tokens(0.0001, 1, 576),
                         "[budget] fraction 0.0001 of 576 tokens is less than one token", BudgetError);
}

TEST_CASE("partitions and tokens that no picture has") {
    constexpr int kMost = std::numeric_limits<int>::max();
    CHECK(budget_tokens(1.0, 1, kMost) == kMost);
    CHECK(budget_tokens(static_cast<long long>(kMost), kMost, 1) == kMost);
    for (const auto& [partitions, tokens] : {std::pair{0, 576}, {5, 0}, {-5, -576}, {-1, 1}, {kMost, 2}}) {
        const std::string said = text("[budget] ", partitions, " partitions of ", tokens,
                                      " tokens; both must be at least 1, their product at most 2147483647");
        CHECK_THROWS_WITH_AS(budget_tokens(0.5, partitions, tokens), said.c_str(), InputError);
        CHECK_THROWS_WITH_AS(budget_tokens(1LL, partitions, tokens), said.c_str(), InputError);
    }
}

TEST_CASE("remainders go to the largest fractions, then to the lower index") {
    CHECK(distribute(10, Doubles{1, 1, 1}, Ints{9, 9, 9}) == Ints{4, 3, 3});
    CHECK(distribute(10, Doubles{3, 2, 2}, Ints{9, 9, 9}) == Ints{4, 3, 3});  // 4.29 2.86 2.86
    CHECK(distribute(7, Doubles{1, 5, 2}, Ints{9, 9, 9}) == Ints{1, 4, 2});   // 0.875 4.375 1.75
}

TEST_CASE("what does not fit goes to the others") {
    CHECK(distribute(10, Doubles{8, 1, 1}, Ints{4, 9, 9}) == Ints{4, 3, 3});
    CHECK(distribute(12, Doubles{8, 3, 1}, Ints{4, 5, 9}) == Ints{4, 5, 3});
    CHECK(distribute(100, Doubles{8, 3, 1}, Ints{4, 5, 9}) == Ints{4, 5, 9});
    CHECK(distribute(5, Doubles{1, 1}, Ints{0, 9}) == Ints{0, 5});
}

TEST_CASE("the heaviest weights and the largest numbers") {
    constexpr int kMost = std::numeric_limits<int>::max();
    CHECK(distribute(kMost - 1, Doubles{1e290, 0}, Ints{kMost, kMost}) == Ints{kMost - 1, 0});
    CHECK(distribute(kMost, Doubles{1e290, 1e290}, Ints{5, kMost}) == Ints{5, kMost - 5});
    CHECK(distribute(3, Doubles{5e-324, 1e290}, Ints{9, 9}) == Ints{0, 3});
    CHECK_THROWS_WITH_AS(distribute(5, Doubles{1e300}, Ints{1}),
                         "[distribute] weight 1e+300; 0 to 1e290 is allowed", InputError);
}

TEST_CASE("without weights the free room decides") {
    CHECK(distribute(6, Doubles{0, 0}, Ints{4, 8}) == Ints{2, 4});
    CHECK(distribute(6, Doubles{1, 0, 0}, Ints{2, 4, 4}) == Ints{2, 2, 2});
}

TEST_CASE("nothing to share, nobody to share with") {
    CHECK(distribute(0, Doubles{1, 2}, Ints{4, 8}) == Ints{0, 0});
    CHECK(distribute(5, Doubles{}, Ints{}) == Ints{});
    CHECK(distribute(5, Doubles{1}, Ints{0}) == Ints{0});
}

TEST_CASE("arguments of distribute that are not allowed") {
    CHECK_THROWS_WITH_AS(distribute(5, Doubles{1}, Ints{1, 2}), "[distribute] 1 weights for 2 capacities",
                         InputError);
    CHECK_THROWS_WITH_AS(distribute(-1, Doubles{1}, Ints{1}),
                         "[distribute] total is -1; it must not be negative", InputError);
    CHECK_THROWS_WITH_AS(distribute(5, Doubles{-1}, Ints{1}), "[distribute] weight -1; 0 to 1e290 is allowed",
                         InputError);
    CHECK_THROWS_WITH_AS(distribute(5, Doubles{1}, Ints{-2}),
                         "[distribute] capacity -2; it must not be negative", InputError);
}
