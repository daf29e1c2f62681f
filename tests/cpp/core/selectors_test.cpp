#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/selector.h"
#include "core/selectors/cosines.h"
#include "core/selectors/coverage.h"
#include "tilings.h"

using namespace hired;

namespace {

Matrix matrix(int rows, int cols, std::vector<float> values) {
    return {.rows = rows, .cols = cols, .values = std::move(values)};
}

// Candidates whose rows are given, in groups of so many as partitions (0: one of all); all of them have the
// same attention unless it is given too.
Candidates seen(const std::vector<std::vector<float>>& rows, Doubles attention = {}, int group = 0) {
    if (attention.empty()) attention.assign(rows.size(), 1.0);
    Rows pointers{.at = {}, .width = static_cast<int>(rows[0].size())};
    Ints groups;
    for (const auto& row : rows) {
        groups.push_back(group > 0 ? static_cast<int>(pointers.at.size()) / group : 0);
        pointers.at.push_back(row.data());
    }
    Candidates c{
        .attention = std::move(attention), .products = products(pointers, groups), .centre = {}, .words = {}};
    c.centre = centre_of(pointers, c.products);
    return c;
}

float at(const Blocks& m, int i, int j) {
    return m.row(i).values[j - m.row(i).first];
}

Ints picks(std::string_view name, const Candidates& candidates, int k) {
    return find_selector(name).choose(candidates, k).kept;
}

std::vector<std::vector<float>> cross() {
    return {{1, 0}, {0, 1}, {-1, 0}, {0, -1}, {1, 0}};
}

}  // namespace

TEST_CASE("cosines forget lengths, and rows without one are like nothing") {
    const Blocks alike = cosines(seen({{3, 0}, {0, 2}, {1, 1}, {0, 0}}).products);
    CHECK(at(alike, 0, 0) == 1.0F);
    CHECK(at(alike, 0, 1) == 0.0F);
    CHECK(at(alike, 1, 2) == doctest::Approx(std::sqrt(0.5)));
    for (int i = 0; i < 4; ++i) CHECK(at(alike, i, 3) == 0.0F);
}

TEST_CASE("centring takes away what all share") {
    const Blocks alike = centred_cosines(seen({{11, 10}, {9, 10}, {10, 11}, {10, 9}}));
    CHECK(at(alike, 0, 1) == doctest::Approx(-1));
    CHECK(at(alike, 0, 2) == doctest::Approx(0).epsilon(1e-4));
}

TEST_CASE("distinctness is 1 for the least like the others, 0 for the most") {
    const Doubles worth = distinctness(seen({{1, 0}, {1, 0.1F}, {1, -0.1F}, {-1, 0}}));
    CHECK(worth[3] == 1);
    CHECK(*std::ranges::min_element(worth) == 0);
    CHECK(distinctness(seen({{1, 0}, {1, 0}})) == Doubles{1, 1});
}

TEST_CASE("coverage picks what adds most, and equal gains by the lower index") {
    const Blocks worth{
        .blocks = {matrix(3, 3, {1, 0, 0, 0.9F, 0.5F, 0, 0, 0.8F, 0})}, .first = {0}, .of = {0, 0, 0}};
    CHECK(pick_covering(worth, {}, Doubles{1, 1, 1}, 3).kept == Ints{1, 2, 0});
    CHECK(pick_covering(worth, {}, Doubles{2, 1, 1}, 2).kept == Ints{0, 2});
    CHECK(pick_covering(worth, {}, Doubles{0, 0, 0}, 2).kept == Ints{0, 1});
    CHECK(pick_covering(worth, matrix(1, 3, {0, 0, 1}), Doubles{1, 1, 1}, 1).kept == Ints{2});
}

TEST_CASE("tokens of different partitions are not compared, but compete") {
    const std::vector<std::vector<float>> rows{{1, 0}, {0, 1}, {1, 0}, {0, 1}};
    CHECK(picks("scope", seen(rows, {4, 3, 2, 1}), 3) == Ints{0, 1, 2});
    CHECK(picks("scope", seen(rows, {4, 3, 2, 1}, 2), 3) == Ints{0, 1, 2});
    CHECK(picks("scope", seen(rows, {4, 1, 3, 2}), 2) == Ints{0, 3});  // 2 is covered by 0
    CHECK(picks("scope", seen(rows, {4, 1, 3, 2}, 2), 2) == Ints{0, 2});
    for (const char* name : {"cen-div", "cen-dpp"}) {
        Ints apart = picks(name, seen(rows, {}, 2), 4);
        std::ranges::sort(apart);
        CHECK(apart == Ints{0, 1, 2, 3});
    }
}

TEST_CASE("cen-div goes from one side to the other") {
    const Ints kept = picks("cen-div", seen(cross()), 4);
    CHECK(std::ranges::find(kept, 4) == kept.end());  // the twin of 0
}

TEST_CASE("cen-dpp spans a volume first, and then goes by quality") {
    const Ints kept = picks("cen-dpp", seen(cross(), {1, 2, 3, 4, 5}), 5);
    CHECK(kept.size() == 5);
    const bool both_axes = (kept[0] + kept[1]) % 2 == 1 || kept[0] == 4 || kept[1] == 4;
    CHECK(both_axes);
}

TEST_CASE("scope weighs what a token covers by its attention") {
    const std::vector<std::vector<float>> rows{{1, 0}, {1, 0}, {1, 0}, {0, 1}};
    CHECK(picks("scope", seen(rows), 2) == Ints{0, 3});
    CHECK(picks("scope", seen(rows, {1, 2, 1, 9}), 2) == Ints{3, 1});
}

TEST_CASE("visionzip merges what is neither dominant nor contextual") {
    std::vector<std::vector<float>> rows(8, {1, 0});
    rows[6] = {0, 1};
    rows[7] = {0, 1};
    Chosen found = find_selector("visionzip").choose(seen(rows, {9, 8, 7, 1, 1, 1, 1, 1}), 4);
    std::ranges::sort(found.kept);
    CHECK(found.kept == Ints{0, 1, 2, 3});  // one of four is contextual
    CHECK(found.merged == Ints{-1, -1, -1, -1, 3, 3, 3, 3});
    CHECK(find_selector("visionzip").choose(seen(rows), 3).merged.empty());
}

TEST_CASE("mmtok covers the words of the question") {
    Candidates c = seen({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
    c.words = matrix(1, 3, {0, 0, 1});
    CHECK(find_selector("mmtok").choose(c, 1).kept == Ints{2});
    c.words = matrix(0, 3, {});
    CHECK(find_selector("mmtok").choose(c, 2).kept == Ints{0, 1});
}

TEST_CASE("every selector keeps exactly as many as asked, each once") {
    for (const Selector& selector : selectors()) {
        Candidates c = seen(cross(), {1, 1, 0, 0, 2});
        c.words = matrix(1, 5, {0, 0.5F, 0, 0, 0});
        for (int k = 0; k <= c.size(); ++k) {
            Ints kept = selector.choose(c, k).kept;
            std::ranges::sort(kept);
            CHECK(std::ssize(kept) == k);
            CHECK(std::ranges::adjacent_find(kept) == kept.end());
        }
    }
}
