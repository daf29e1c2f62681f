#include "core/pack.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "tilings.h"

using namespace hired;

using Mask = std::vector<std::uint8_t>;

TEST_CASE("the mosaic is read row by row across tiles, with a newline after each") {
    const Tiling t = small_tiling({8, 16}, {1, 2});
    CHECK(pack_order(Mask(12, 1), t, Newlines::automatic) ==
          Ints{0, 1, 2, 3, 4, 5, 8, 9, -1, 6, 7, 10, 11, -1});
    CHECK(pack_order(Mask(12, 1), t, Newlines::drop) == Ints{0, 1, 2, 3, 4, 5, 8, 9, 6, 7, 10, 11});
}

TEST_CASE("a mosaic row without kept tokens has no newline") {
    const Tiling t = small_tiling({8, 16}, {1, 2});
    const Mask mask{0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    CHECK(pack_order(mask, t, Newlines::keep) == Ints{1, 6, 11, -1});
    CHECK(pack_order(mask, t, Newlines::automatic) == Ints{1, 6, 11});
}

TEST_CASE("padding is skipped, and all but padding is everything") {
    const Tiling t = small_tiling({1, 4}, {2, 2});  // one mosaic row of picture in four: two rows stay
    CHECK(capacities(t) == Ints{4, 2, 2, 2, 2});
    CHECK(pack_order(Mask(20, 1), t, Newlines::automatic) ==
          Ints{0, 1, 2, 3, 6, 7, 10, 11, -1, 12, 13, 16, 17, -1});
}

TEST_CASE("the flat merge and a single partition have no newlines") {
    const Tiling flat = small_tiling({8, 16}, {1, 2}, false);
    CHECK(pack_order(Mask(12, 1), flat, Newlines::keep) == Ints{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    CHECK(pack_order(Mask(4, 1), single_tiling(), Newlines::keep) == Ints{0, 1, 2, 3});
}

TEST_CASE("what pack_order and parse_newlines refuse") {
    CHECK_THROWS_WITH_AS(pack_order(Mask(3, 1), single_tiling(), Newlines::keep),
                         "[pack] mask holds 3 numbers; 1 x 4 are needed", InputError);
    CHECK(parse_newlines("auto") == Newlines::automatic);
    CHECK(parse_newlines("keep") == Newlines::keep);
    CHECK(parse_newlines("drop") == Newlines::drop);
    CHECK_THROWS_WITH_AS(parse_newlines("yes"), "[pack] newlines 'yes'; allowed: auto, keep, drop",
                         BudgetError);
}
