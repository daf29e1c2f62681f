#include "core/products.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace hired;

namespace {

std::vector<float> random_numbers(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> any(-1, 1);
    std::vector<float> numbers(size);
    std::ranges::generate(numbers, [&] { return any(random); });
    return numbers;
}

Rows rows_of(const std::vector<float>& numbers, int width) {
    Rows rows{.at = {}, .width = width};
    for (std::size_t i = 0; i < numbers.size(); i += width) rows.at.push_back(numbers.data() + i);
    return rows;
}

std::vector<int> all_of(const Rows& rows) {
    return std::vector<int>(rows.size(), 0);
}

double plain_product(const float* a, const float* b, int width) {
    double sum = 0;
    for (int k = 0; k < width; ++k) sum += static_cast<double>(a[k]) * b[k];
    return sum;
}

}  // namespace

TEST_CASE("products equal the plain loop, whatever the shapes") {
    for (const int width : {1, 3, 16, 37, 1024, 2065}) {
        for (const int n : {1, 4, 31, 130}) {
            const auto left = random_numbers(std::size_t{7} * width, 1);
            const auto right = random_numbers(static_cast<std::size_t>(n) * width, 2);
            const Rows a = rows_of(left, width), b = rows_of(right, width);
            const Matrix found = products(a, b);
            CHECK(found.rows == 7);
            CHECK(found.cols == n);
            for (int i = 0; i < 7; ++i) {
                for (int j = 0; j < n; ++j) {
                    CHECK(std::abs(found.at(i, j) - plain_product(a.at[i], b.at[j], width)) < 1e-4);
                }
            }
        }
    }
}

TEST_CASE("the products of rows with themselves are symmetric and those of two lists, bit by bit") {
    const auto numbers = random_numbers(std::size_t{150} * 70, 3);
    const Rows rows = rows_of(numbers, 70);
    const Matrix once = products(rows, all_of(rows)).blocks[0], twice = products(rows, rows);
    for (int i = 0; i < once.rows; ++i) {
        for (int j = 0; j < once.cols; ++j) {
            CHECK(once.at(i, j) == once.at(j, i));
            CHECK(once.at(i, j) == twice.at(i, j));
        }
    }
}

TEST_CASE("equal rows have equal products, wherever they stand") {
    auto numbers = random_numbers(std::size_t{100} * 45, 4);
    std::copy_n(numbers.begin() + 45L * 3, 45, numbers.begin() + 45L * 98);
    const Rows rows = rows_of(numbers, 45);
    const Matrix found = products(rows, all_of(rows)).blocks[0];
    for (int j = 0; j < 98; ++j) CHECK(found.at(3, j) == found.at(98, j));
}

TEST_CASE("rows of different groups are not multiplied") {
    const auto numbers = random_numbers(std::size_t{9} * 20, 5);
    const Rows rows = rows_of(numbers, 20);
    const Blocks found = products(rows, std::vector<int>{4, 4, 4, 7, 7, 7, 7, 9, 9});
    CHECK(found.first == std::vector<int>{0, 3, 7});
    CHECK(found.of == std::vector<int>{0, 0, 0, 1, 1, 1, 1, 2, 2});
    const Matrix whole = products(rows, rows);
    for (int i = 0; i < found.size(); ++i) {
        const auto [first, row] = found.row(i);
        CHECK(found.diagonal(i) == whole.at(i, i));
        for (int j = 0; j < std::ssize(row); ++j) CHECK(row[j] == whole.at(i, first + j));
    }
}

TEST_CASE("a weighted sum of rows") {
    const std::vector<float> numbers{1, 2, 3, 10, 20, 30};
    CHECK(weighted_sum(rows_of(numbers, 3), std::vector<double>{2, 0.5}) == std::vector<float>{7, 14, 21});
}

TEST_CASE("no rows have no products") {
    CHECK(products(Rows{.at = {}, .width = 3}, std::vector<int>{}).blocks.empty());
    const std::vector<float> one(3, 1.0F);
    CHECK(products(Rows{.at = {}, .width = 3}, rows_of(one, 3)).values.empty());
}

TEST_CASE("what is above the floor is added up") {
    CHECK(sum_above(std::vector<float>{1, 2, 3}, std::vector<float>{2, 2, 1.5F}) == 1.5F);
    CHECK(sum_above({}, {}) == 0);
}
