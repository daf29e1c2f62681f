#include "core/tiling.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "tilings.h"

using namespace hired;

TEST_CASE("a square picture fills the 2 x 2 canvas") {
    const Tiling t = llava_next_tiling({1000, 1000});
    CHECK(t.grid.rows == 2);
    CHECK(t.grid.cols == 2);
    CHECK(t.canvas.height == 672);
    CHECK(t.fitted.width == 672);
    CHECK(t.offset.top == 0);
    CHECK(t.side == 24);
    CHECK(t.partitions == 5);
    CHECK(t.tokens == 576);
    CHECK(capacities(t) == Ints{576, 576, 576, 576, 576});
}

TEST_CASE("a wide picture is fitted by its width and padded above and below") {
    const Tiling t = llava_next_tiling({446, 1387});
    CHECK(t.grid.rows == 1);
    CHECK(t.grid.cols == 3);
    CHECK(t.canvas.height == 336);
    CHECK(t.canvas.width == 1008);
    CHECK(t.fitted.height == 325);
    CHECK(t.fitted.width == 1008);
    CHECK(t.offset.top == 5);
    CHECK(t.offset.left == 0);
}

TEST_CASE("of two canvases that keep as many pixels the smaller one wins") {
    CHECK(llava_next_tiling({100, 150}).canvas.height == 336);
    CHECK(llava_next_tiling({100, 150}).canvas.width == 672);
}

TEST_CASE("unpadding drops whole mosaic rows, rounded up to the picture's side") {
    const Tiling t = llava_next_tiling({759, 1171});  // 48 * 759 / 1171 = 31.1 rows, (48 - 31) / 2 = 8 go
    CHECK(t.row_begin == 8);
    CHECK(t.row_end == 40);
    CHECK(t.col_begin == 0);
    CHECK(t.col_end == 48);
    CHECK(capacities(t) == Ints{576, 384, 384, 384, 384});
    CHECK(t.is_padding(1, 7 * 24 + 23));
    CHECK_FALSE(t.is_padding(1, 8 * 24));
    CHECK_FALSE(t.is_padding(3, 15 * 24));
    CHECK(t.is_padding(4, 16 * 24));
    CHECK_FALSE(t.is_padding(0, 0));
}

TEST_CASE("a length that is a whole number but for rounding counts as whole") {
    const Tiling t = llava_next_tiling({55, 176});  // 55 * (48 / 176) is 14.999999999999998 in binary
    CHECK(t.rows() == 24);
    CHECK(t.row_begin == 4);
    CHECK(t.row_end == 20);
}

TEST_CASE("a picture thinner than a token leaves the tiles empty") {
    CHECK(capacities(llava_next_tiling({1, 10000})) == Ints{576, 0, 0});
}

TEST_CASE("the flat merge drops no padding") {
    CHECK(capacities(llava_next_tiling({759, 1171}, false)) == Ints{576, 576, 576, 576, 576});
}

TEST_CASE("no pinpoints make one partition") {
    const Tiling t = single_tiling();
    CHECK(t.partitions == 1);
    CHECK(t.grid.rows == 0);
    CHECK(t.canvas.width == 8);
    CHECK(capacities(t) == Ints{4});
}

TEST_CASE("transposed swaps the grid and unpads again") {
    const Tiling t = transposed(llava_next_tiling({446, 1387}));
    CHECK(t.grid.rows == 3);
    CHECK(t.grid.cols == 1);
    CHECK(t.row_begin == 32);  // 24 * 446 / 1387 = 7.7 rows, (72 - 7) / 2 = 32 go
    CHECK(t.row_end == 40);
    CHECK(capacities(t) == Ints{576, 0, 192, 0});
}

TEST_CASE("arguments that no tiling exists for") {
    const auto tile = [](Size image, Size pinpoint, int tile, int patch) {
        return make_tiling(image, std::array{pinpoint}, tile, patch, true);
    };
    CHECK_THROWS_WITH_AS(tile({0, 5}, {8, 8}, 8, 4),
                         "[tiling] image_size_hw is 0 x 5; both must be at least 1", InputError);
    CHECK_THROWS_WITH_AS(tile({5, 5}, {8, 8}, 8, 0), "[tiling] patch is 0 pixels; it must be at least 1",
                         InputError);
    CHECK_THROWS_WITH_AS(tile({5, 5}, {8, 8}, 8, 3),
                         "[tiling] tile is 8 pixels; it must be a positive multiple of the patch, 3",
                         InputError);
    CHECK_THROWS_WITH_AS(tile({5, 5}, {12, 8}, 8, 4),
                         "[tiling] pinpoint 12 x 8 must be positive multiples of the tile, 8", InputError);
    CHECK_THROWS_WITH_AS(tile({5, 5}, {2000000000, 2000000000}, 8, 4),
                         "[tiling] pinpoint 2000000000 x 2000000000 has more than 2147483647 visual tokens",
                         InputError);
}
