#include "core/allocate.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "tilings.h"

using namespace hired;

TEST_CASE("names of allocations") {
    CHECK(parse_allocation("hired") == Allocation::hired);
    CHECK(parse_allocation("official") == Allocation::official);
    CHECK(parse_allocation("uniform") == Allocation::uniform);
    CHECK_THROWS_WITH_AS(parse_allocation("even"),
                         "[budget] allocation 'even'; allowed: hired, official, uniform, globalcom2, joint",
                         BudgetError);
}

TEST_CASE("regions are true quadrants, in units of 1 / fitted area") {
    const Tiling t = small_tiling({16, 16}, {2, 2});
    CHECK(region_mass(Doubles{1, 2, 3, 4}, t) == Doubles{256, 512, 768, 1024});
}

TEST_CASE("a patch across tiles counts by its share of each") {
    const Tiling t = small_tiling({8, 24}, {1, 3});  // two patch columns of 12 pixels, three tiles of 8
    CHECK(region_mass(Doubles{1, 0, 0, 0}, t) == Doubles{192 * 2 / 3., 192 * 1 / 3., 0});
}

TEST_CASE("padding holds no part of the picture") {
    const Tiling t = small_tiling({4, 16}, {2, 2});  // the picture lies in canvas rows 6 to 9
    CHECK(t.fitted.height == 4);
    CHECK(t.offset.top == 6);
    CHECK(region_mass(Doubles{1, 0, 0, 0}, t) == Doubles{64, 0, 0, 0});  // squashed: its upper left quarter
}

TEST_CASE("hired gives the full image alpha, and the tiles the rest by mass") {
    const Tiling t = small_tiling({16, 16}, {2, 2});
    CHECK(allocate_hired(Doubles{1, 1, 1, 1}, t, 8, 0.5) == Ints{4, 1, 1, 1, 1});
    CHECK(allocate_hired(Doubles{0, 0, 3, 1}, t, 8, 0.5) == Ints{4, 0, 0, 3, 1});
    CHECK(allocate_hired(Doubles{0, 0, 9, 1}, t, 7, 0) == Ints{0, 0, 0, 4, 3});
    CHECK(allocate_hired(Doubles{1, 1, 1, 1}, t, 3, 1) == Ints{3, 0, 0, 0, 0});
    CHECK(allocate_hired(Doubles{1, 1, 1, 1}, t, 20, 0) == Ints{4, 4, 4, 4, 4});
}

TEST_CASE("hired gives back to the full image what the tiles have no room for") {
    const Tiling thin = small_tiling({1, 100}, {2, 2});
    CHECK(capacities(thin) == Ints{4, 0, 0, 0, 0});
    CHECK(allocate_hired(Doubles{1, 1, 1, 1}, thin, 3, 0.5) == Ints{3, 0, 0, 0, 0});
    CHECK(allocate_hired(Doubles{1, 1, 1, 1}, thin, 9, 0.5) == Ints{4, 0, 0, 0, 0});
}

TEST_CASE("a single partition takes everything") {
    CHECK(allocate_hired(Doubles{1, 1, 1, 1}, single_tiling(), 3, 0.5) == Ints{3});
    CHECK(allocate_official(Doubles{1, 1, 1, 1}, single_tiling(), 3, 0.5) == Ints{3});
    CHECK(allocate_uniform(single_tiling(), 3) == Ints{3});
}

TEST_CASE("official counts top patches in flat chunks") {
    const Tiling t = small_tiling({16, 16}, {1, 2});  // tile 1: patches 0 1, tile 2: patches 2 3
    CHECK(allocate_official(Doubles{9, 8, 7, 1}, t, 6, 0.25) == Ints{1, 3, 1});  // 2/3 and 1/3 of 5, floored
    CHECK(allocate_official(Doubles{9, 8, 1, 1}, t, 12, 0.5) == Ints{4, 4, 0});  // 8 clamped to 4, 4 lost
    CHECK(allocate_official(Doubles{9, 8, 1, 1}, t, 2, 1) == Ints{2, 0, 0});
}

TEST_CASE("uniform treats all partitions alike") {
    CHECK(allocate_uniform(small_tiling({16, 16}, {2, 2}), 7) == Ints{2, 2, 1, 1, 1});
    CHECK(allocate_uniform(small_tiling({1, 100}, {2, 2}), 7) == Ints{4, 0, 0, 0, 0});
}

TEST_CASE("globalcom2 gives by patches, and more where the logits are high") {
    const Tiling t = small_tiling({16, 16}, {2, 2});
    const std::vector<float> even(4, 0.25F);
    CHECK(allocate_globalcom2(even, 1, t, 10) == Ints{2, 2, 2, 2, 2});
    const float far = 2e-9F;  // weights of 4, three times 3.03 and 6.9, of which a quota is the half
    CHECK(allocate_globalcom2(std::vector<float>{far, far, far, 1e12F}, 1, t, 10) == Ints{2, 2, 2, 1, 3});
    CHECK(allocate_globalcom2(std::vector<float>(4, 0.0F), 1, t, 9) == Ints{2, 2, 2, 2, 1});
    CHECK(allocate_globalcom2(even, 1, single_tiling(), 3) == Ints{3});
    CHECK(allocate_globalcom2(even, 1, small_tiling({1, 100}, {2, 2}), 9) == Ints{4, 0, 0, 0, 0});
}
