#include "kernels/product.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

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

    void run(int threads) {
        const void* stored = kind == Weights::f16 ? static_cast<const void*>(half.data()) : w.data();
        for (int t = 0; t < threads; ++t) {
            find_kernels("avx512")->multiply({.rows = rows,
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

void check(int m, int n, int k, Weights kind, int threads, unsigned seed) {
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    CAPTURE(int(kind));
    CAPTURE(threads);
    Case c(m, n, k, kind, seed);
    c.run(threads);
    CHECK(c.y.largest_error([&](int i, int j) { return c.expected(i, j); }) < 2e-7 * k + 1e-6);
    CHECK(c.y.gaps_are_untouched());
}

}  // namespace

TEST_CASE("a product equals the plain loop, on any shape, with any number of threads") {
    NEEDS_KERNELS();
    std::mt19937 random(1);
    const auto up_to = [&](int n) { return std::uniform_int_distribution(1, n)(random); };
    for (unsigned seed = 0; seed < 60; ++seed) {
        check(up_to(100), up_to(120), up_to(100), Weights(seed % 3), up_to(5), seed);
    }
}

TEST_CASE("shapes at the edges of tiles, panels and blocks") {
    NEEDS_KERNELS();
    for (Weights kind : {Weights::f32, Weights::f16, Weights::f32_transposed}) {
        for (int m : {1, 13, 14, 15, 28}) check(m, 33, 17, kind, 1, 7);
        for (int n : {1, 15, 16, 17, 31, 32, 64}) check(15, n, 16, kind, 2, 8);
        for (int k : {1, 255, 256, 257, 520}) check(9, 40, k, kind, 1, 9);
        check(2 * 42 * 14 + 3, 35, 20, kind, 1, 10);
        check(3, 1024 + 40, 20, kind, 1, 11);
    }
}

TEST_CASE("more threads than tiles") {
    NEEDS_KERNELS();
    check(3, 5, 7, Weights::f32, 16, 12);
}
