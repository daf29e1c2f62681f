#include "kernels/q4.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "kernels.h"

using namespace hired;

namespace {

struct Aligned {
    void operator()(char* p) const { ::operator delete(p, std::align_val_t{64}); }
};

// Weights as a file has them, and x rounded as ggml rounds it, both also as plain floats.
struct Case {
    int rows, columns, depth;
    std::size_t x_stride;
    std::vector<std::uint8_t> stored;
    Floats x, w, x_rounded;
    Result y;

    Case(int m, int n, int k, unsigned seed)
        : rows(m), columns(n), depth(k), x_stride(k + 7), y(m, n, n + 3) {
        x = random_floats(m * x_stride, seed);
        if (k > 32) std::fill(x.begin(), x.begin() + 32, 0.0F);
        x_rounded.resize(x.size());
        for (int i = 0; i < m; ++i) {
            for (int b = 0; b < k; b += kQ4Block) {
                round_block(&x[i * x_stride + b], &x_rounded[i * x_stride + b]);
            }
        }
        w.resize(static_cast<std::size_t>(n) * k);
        std::mt19937 random(seed + 1);
        for (std::size_t b = 0; b < w.size(); b += kQ4Block) add_block(random, &w[b]);
    }

    static void round_block(const float* from, float* to) {
        float largest = 0;
        for (int i = 0; i < kQ4Block; ++i) largest = std::max(largest, std::abs(from[i]));
        const float factor = largest > 0 ? 127.0F / largest : 0.0F;
        const float scale = round_to_half(largest / 127.0F);
        for (int i = 0; i < kQ4Block; ++i) to[i] = scale * std::nearbyint(from[i] * factor);
    }

    void add_block(std::mt19937& random, float* values) {
        std::uniform_real_distribution<float> scales(-0.1F, 0.1F);
        const float scale = round_to_half(scales(random));
        const std::uint16_t half = to_half(scale);
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&half);
        stored.insert(stored.end(), bytes, bytes + 2);
        for (int i = 0; i < 16; ++i) {
            const auto pair = static_cast<std::uint8_t>(random());
            stored.push_back(pair);
            values[i] = scale * static_cast<float>((pair & 15) - 8);
            values[i + 16] = scale * static_cast<float>((pair >> 4) - 8);
        }
    }

    void run(int threads) {
        std::unique_ptr<char, Aligned> q8(
            static_cast<char*>(::operator new(rows * q8_row_bytes(depth), std::align_val_t{64})));
        std::memset(q8.get(), 0x55, rows * q8_row_bytes(depth));  // what is not written would show
        for (int t = 0; t < threads; ++t) quantize_q8(x.data(), x_stride, rows, depth, q8.get(), t, threads);
        for (int t = 0; t < threads; ++t) {
            multiply_q4({.rows = rows,
                         .columns = columns,
                         .depth = depth,
                         .q8 = q8.get(),
                         .w = stored.data(),
                         .y = y.values.data(),
                         .y_stride = y.stride},
                        t, threads);
        }
    }

    double expected(int i, int n) const {
        double sum = 0;
        for (int k = 0; k < depth; ++k) {
            sum +=
                static_cast<double>(x_rounded[i * x_stride + k]) * w[static_cast<std::size_t>(n) * depth + k];
        }
        return sum;
    }
};

void check(int m, int n, int k, int threads, unsigned seed) {
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    CAPTURE(threads);
    Case c(m, n, k, seed);
    c.run(threads);
    CHECK(c.y.largest_error([&](int i, int j) { return c.expected(i, j); }) < 1e-7 * k + 1e-6);
    CHECK(c.y.gaps_are_untouched());
}

}  // namespace

TEST_CASE("a product with Q4_0 equals the plain loop, on any shape, with any number of threads") {
    NEEDS_KERNELS();
    std::mt19937 random(3);
    const auto up_to = [&](int n) { return std::uniform_int_distribution(1, n)(random); };
    for (unsigned seed = 0; seed < 40; ++seed) {
        check(up_to(40), 32 * up_to(5), 32 * up_to(40), up_to(5), seed);
    }
}

TEST_CASE("few rows take another way, at any depth") {
    NEEDS_KERNELS();
    for (int m : {1, 2, 3, 4, 5, 6, 7}) check(m, 64, 32 * 11, 2, 5);
    for (int blocks : {1, 7, 8, 9, 16, 31, 32, 33, 64, 65}) {
        check(1, 32, 32 * blocks, 1, 6);
        check(13, 32, 32 * blocks, 1, 7);
    }
}

TEST_CASE("a row of x takes a multiple of 64 bytes") {
    for (int blocks = 1; blocks < 40; ++blocks) CHECK(q8_row_bytes(32 * blocks) % 64 == 0);
}
