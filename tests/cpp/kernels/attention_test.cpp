#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels.h"

using namespace hired;

namespace {

struct Case {
    int partitions, tokens, heads, width;
    float scale;
    Floats q, k, v, out;

    Case(int p, int t, int h, int d, float factor, unsigned seed)
        : partitions(p), tokens(t), heads(h), width(d), scale(factor) {
        const std::size_t n = static_cast<std::size_t>(p) * t * h * d;
        q = random_floats(n, seed);
        k = random_floats(n, seed + 1);
        v = random_floats(n, seed + 2);
        out.assign(n, 0);
    }

    void run(const Kernels& kernels, int threads) {
        for (int i = 0; i < threads; ++i) {
            kernels.attend({.partitions = partitions,
                            .tokens = tokens,
                            .heads = heads,
                            .width = width,
                            .scale = scale,
                            .q = q.data(),
                            .k = k.data(),
                            .v = v.data(),
                            .out = out.data()},
                           i, threads);
        }
    }

    std::size_t at(int p, int t, int h) const {
        return ((static_cast<std::size_t>(p) * tokens + t) * heads + h) * width;
    }

    std::vector<double> expected(int p, int t, int h) const {
        std::vector<double> scores(tokens), row(width);
        for (int j = 0; j < tokens; ++j) {
            for (int d = 0; d < width; ++d) {
                scores[j] += static_cast<double>(q[at(p, t, h) + d]) * k[at(p, j, h) + d];
            }
        }
        const double largest = *std::ranges::max_element(scores);
        double sum = 0;
        for (double& s : scores) {
            s = std::exp(scale * (s - largest));
            sum += s;
        }
        for (int j = 0; j < tokens; ++j) {
            for (int d = 0; d < width; ++d) row[d] += scores[j] / sum * v[at(p, j, h) + d];
        }
        return row;
    }

    double largest_error() const {
        double worst = 0;
        for (int p = 0; p < partitions; ++p) {
            for (int t = 0; t < tokens; ++t) {
                for (int h = 0; h < heads; ++h) {
                    const auto row = expected(p, t, h);
                    for (int d = 0; d < width; ++d) {
                        worst = std::max(worst, std::abs(out[at(p, t, h) + d] - row[d]));
                    }
                }
            }
        }
        return worst;
    }
};

}  // namespace

TEST_CASE("attention equals the plain loop, on any shape, with any number of threads") {
    with_each_kernels([](const Kernels& kernels) {
        std::mt19937 random(2);
        const auto up_to = [&](int n) { return std::uniform_int_distribution(1, n)(random); };
        for (unsigned seed = 0; seed < 30; ++seed) {
            Case c(up_to(3), up_to(70), up_to(4), up_to(80), static_cast<float>(up_to(300)) / 100, seed);
            CAPTURE(seed);
            c.run(kernels, up_to(5));
            CHECK(c.largest_error() < 5e-6);
        }
    });
}

TEST_CASE("one token attends to itself") {
    with_each_kernels([](const Kernels& kernels) {
        Case c(1, 1, 2, 5, 1, 3);
        c.run(kernels, 1);
        CHECK(c.out == c.v);
    });
}

TEST_CASE("scores far apart neither overflow nor hide a NaN") {
    with_each_kernels([](const Kernels& kernels) {
        Case c(1, 20, 1, 8, 1e6F, 4);
        c.run(kernels, 1);
        CHECK(c.largest_error() < 1e-3);
        c.k[3] = std::numeric_limits<float>::quiet_NaN();
        c.run(kernels, 1);
        CHECK(std::isnan(c.out[0]));
    });
}

TEST_CASE("tokens of no weight at all add nothing, however large their values") {
    with_each_kernels([](const Kernels& kernels) {
        Case c(1, 30, 1, 8, 1, 5);
        std::ranges::fill(c.q, 100.0F);
        std::ranges::fill(c.k, -1.0F);
        std::ranges::fill(c.v, 1e30F);
        for (int d = 0; d < 8; ++d) {
            c.k[c.at(0, 11, 0) + d] = 1;
            c.v[c.at(0, 11, 0) + d] = 1;
        }
        c.run(kernels, 1);
        for (float v : c.out) CHECK(v == doctest::Approx(1));
    });
}
