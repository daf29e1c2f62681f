#include "core/select.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "tilings.h"

using namespace hired;

namespace {
Ints sorted(Ints values) {
    std::ranges::sort(values);
    return values;
}
}  // namespace

TEST_CASE("heads are summed per token") {
    CHECK(head_sum(std::vector<float>{1, 2, 3, 10, 20, 30}, 2) == Doubles{11, 22, 33});
}

TEST_CASE("top_k takes the highest scores, ties to the lower index") {
    const Doubles scores{1, 5, 5, 2, 5};
    CHECK(sorted(top_k(scores, {0, 1, 2, 3, 4}, 2)) == Ints{1, 2});
    CHECK(sorted(top_k(scores, {0, 3, 4}, 2)) == Ints{3, 4});
    CHECK(top_k(scores, {0, 1}, 0).empty());
    CHECK(sorted(top_k(scores, {0, 1}, 2)) == Ints{0, 1});
    CHECK_THROWS_WITH_AS(top_k(scores, {0, 1}, 3), "[select] 3 tokens; 0 to 2 candidates are allowed",
                         InputError);
}

TEST_CASE("padding is no candidate unless asked for") {
    const Tiling t = small_tiling({1, 100}, {2, 2});
    CHECK(candidates(t, 0, false) == Ints{0, 1, 2, 3});
    CHECK(candidates(t, 1, false).empty());
    CHECK(candidates(t, 1, true) == Ints{0, 1, 2, 3});
}

TEST_CASE("attention is checked before it is used") {
    const Tiling t = small_tiling({16, 16}, {1, 2});
    std::vector<float> attention(3 * 2 * 4, 0.5F);
    CHECK_NOTHROW(check_attention("attn_last", attention, 2, t));
    CHECK_THROWS_WITH_AS(check_attention("attn_last", attention, 3, t),
                         "[select] attn_last holds 24 numbers; [3, 3, 4] are needed", InputError);
    CHECK_THROWS_WITH_AS(check_attention("attn_last", attention, 0, t),
                         "[select] attn_last has 0 heads; at least 1 is needed", InputError);
    attention[1 * 8 + 1 * 4 + 2] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS(
        check_attention("attn_last", attention, 2, t),
        "[select] attn_last at partition 1, head 1, token 2 is inf; attention must be finite", NumericError);
    attention[0] = -1;
    CHECK_THROWS_WITH_AS(
        check_attention("attn_last", attention, 2, t),
        "[select] attn_last at partition 0, head 0, token 0 is -1; attention must not be negative",
        InputError);
}
