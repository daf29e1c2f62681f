#include "kernels/product.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels.h"

using namespace hired;

namespace {

// A product with strides larger than its rows, and the plain loop to compare it with.
struct Case {
    int rows, columns, depth;
    Weights kind;
    Floats x, w;
    Result y;
    std::vector<std::uint16_t> half;
    std::size_t x_stride, w_stride;

    Case(int m, int n, int k, Weights weights, unsigned seed)
        : rows(m), columns(n), depth(k), kind(weights), y(m, n, n + 5), x_stride(k + 3) {
        const bool transposed = weights == Weights::f32_transposed;
        w_stride = (transposed ? n : k) + 2;
        x = random_floats(m * x_stride, seed);
        w = random_floats((transposed ? k : n) * w_stride, seed + 1);
        if (weights == Weights::f16) std::ranges::transform(w, w.begin(), round_to_half);
        for (float v : w) half.push_back(to_half(v));
    }

    void run(const Kernels& kernels, int threads) {
        const void* stored = kind == Weights::f16 ? static_cast<const void*>(half.data()) : w.data();
        for (int t = 0; t < threads; ++t) {
            kernels.multiply({.rows = rows,
                              .columns = columns,
                              .depth = depth,
                              .x = x.data(),
                              .x_stride = x_stride,
                              .w = stored,
                              .w_stride = w_stride,
                              .weights = kind,
                              .y = y.values.data(),
                              .y_stride = y.stride},
                             t, threads);
        }
    }

    double expected(int i, int n) const {
        double sum = 0;
        for (int k = 0; k < depth; ++k) {
            sum += static_cast<double>(x[i * x_stride + k]) *
                   w[kind == Weights::f32_transposed ? k * w_stride + n : n * w_stride + k];
        }
        return sum;
    }
};

// The largest error is what a sum of k products of numbers up to 1 may have.
void check(const Kernels& kernels, int m, int n, int k, Weights kind, int threads, unsigned seed) {
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    CAPTURE(int(kind));
    CAPTURE(threads);
    Case c(m, n, k, kind, seed);
    c.run(kernels, threads);
    CHECK(c.y.largest_error([&](int i, int j) { return c.expected(i, j); }) < 2e-7 * k + 1e-6);
    CHECK(c.y.gaps_are_untouched());
}

constexpr Weights kKinds[] = {Weights::f32, Weights::f16, Weights::f32_transposed};

}  // namespace

TEST_CASE("a product equals the plain loop, on any shape, with any number of threads") {
    with_each_kernels([](const Kernels& kernels) {
        std::mt19937 random(1);
        const auto up_to = [&](int n) { return std::uniform_int_distribution(1, n)(random); };
        for (unsigned seed = 0; seed < 60; ++seed) {
            check(kernels, up_to(100), up_to(120), up_to(100), kKinds[seed % 3], up_to(5), seed);
        }
    });
}

// Tiles have 14 or 6 rows and 32 or 16 columns, blocks 42 * 14 or 32 * 6 rows, 1024 columns and a depth of
// 256.
TEST_CASE("shapes at the edges of tiles, panels and blocks") {
    with_each_kernels([](const Kernels& kernels) {
        for (Weights kind : kKinds) {
            for (int m : {1, 5, 6, 7, 12, 13, 14, 15, 28}) check(kernels, m, 33, 17, kind, 1, 7);
            for (int n : {1, 7, 8, 9, 15, 16, 17, 31, 32, 64}) check(kernels, 15, n, 16, kind, 2, 8);
            for (int k : {1, 7, 8, 9, 383, 384, 385, 512, 513, 800}) check(kernels, 9, 40, k, kind, 1, 9);
            check(kernels, 2 * 28 * 14 + 3, 35, 20, kind, 1, 10);
            check(kernels, 3, 1024 + 40, 20, kind, 1, 11);
        }
    });
}

TEST_CASE("more threads than tiles") {
    with_each_kernels([](const Kernels& kernels) { check(kernels, 3, 5, 7, Weights::f32, 16, 12); });
}

TEST_CASE("NaN and infinity of one row and one column reach no other") {
    with_each_kernels([](const Kernels& kernels) {
        Case c(17, 40, 30, Weights::f32, 13);
        c.x[3 * c.x_stride + 29] = std::numeric_limits<float>::quiet_NaN();
        c.w[20 * c.w_stride + 29] = std::numeric_limits<float>::infinity();
        c.run(kernels, 2);
        for (int i = 0; i < c.rows; ++i) {
            for (int n = 0; n < c.columns; ++n) {
                CHECK(std::isfinite(c.y.values[i * c.y.stride + n]) == (i != 3 && n != 20));
            }
        }
        CHECK(std::isnan(c.y.values[3 * c.y.stride]));
        CHECK(std::isinf(c.y.values[20]));
    });
}
