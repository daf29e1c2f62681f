#include "core/products.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>

// The inner loops are compiled for each width of vectors that x86-64 has, and the widest of the CPU at hand
// runs. -fopenmp-simd (see CMakeLists.txt) lets the compiler add up in vectors; without it they are only
// slower.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define HIRED_FOR_ALL_VECTORS [[gnu::target_clones("avx512f", "avx2", "default")]]
#else
#define HIRED_FOR_ALL_VECTORS
#endif

namespace hired {
namespace {

constexpr int kBlock = 4;     // rows of a and of b whose products are made together
constexpr int kStripe = 64;   // rows of b that a thread takes at a time: they stay in its cache
constexpr int kDepth = 1024;  // columns that are multiplied before the next rows

using Corner = std::array<const float*, kBlock>;
using Sums = std::array<float, kBlock * kBlock>;

// The products of four rows with four others over `depth` columns. Sixteen sums, by name: so they stay in
// registers.
HIRED_FOR_ALL_VECTORS Sums multiply(const Corner& a, const Corner& b, int depth) {
    const float *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3];
    const float *b0 = b[0], *b1 = b[1], *b2 = b[2], *b3 = b[3];
    float s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
    float s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
#pragma omp simd reduction(+ : s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33)
    for (int k = 0; k < depth; ++k) {
        s00 += a0[k] * b0[k], s01 += a0[k] * b1[k], s02 += a0[k] * b2[k], s03 += a0[k] * b3[k];
        s10 += a1[k] * b0[k], s11 += a1[k] * b1[k], s12 += a1[k] * b2[k], s13 += a1[k] * b3[k];
        s20 += a2[k] * b0[k], s21 += a2[k] * b1[k], s22 += a2[k] * b2[k], s23 += a2[k] * b3[k];
        s30 += a3[k] * b0[k], s31 += a3[k] * b1[k], s32 += a3[k] * b2[k], s33 += a3[k] * b3[k];
    }
    return {s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33};
}

// Four rows from the first on; where they end, the last one again.
Corner corner(const Rows& rows, int first, int column) {
    Corner found{};
    for (int i = 0; i < kBlock; ++i) found[i] = rows.at[std::min(first + i, rows.size() - 1)] + column;
    return found;
}

void add(Matrix& out, int i, int j, const Sums& sums) {
    for (int r = 0; r < std::min(kBlock, out.rows - i); ++r) {
        float* row = out.values.data() + static_cast<std::size_t>(i + r) * out.cols + j;
        for (int c = 0; c < std::min(kBlock, out.cols - j); ++c) row[c] += sums[kBlock * r + c];
    }
}

// The products of the first `rows` rows of a with a stripe of b.
void stripe(const Rows& a, const Rows& b, int rows, int first, Matrix& out) {
    const int last = std::min(first + kStripe, b.size());
    for (int k = 0; k < a.width; k += kDepth) {
        const int depth = std::min(kDepth, a.width - k);
        for (int i = 0; i < rows; i += kBlock) {
            for (int j = first; j < last; j += kBlock) {
                add(out, i, j, multiply(corner(a, i, k), corner(b, j, k), depth));
            }
        }
    }
}

// A thread for the work; none where there are no more to be had.
template <typename Work>
std::thread start(const Work& work) {
    try {
        return std::thread(work);
    } catch (const std::system_error&) {
        return {};
    }
}

// work(0) to work(count - 1), by this thread and another if there is one to be had.
template <typename Work>
void share(int count, const Work& work) {
    std::atomic<int> next{0};
    const auto take = [&] {
        for (int i = next.fetch_add(1); i < count; i = next.fetch_add(1)) work(i);
    };
    std::thread other;
    if (count > 1 && std::thread::hardware_concurrency() > 1) other = start(take);
    take();
    if (other.joinable()) other.join();
}

Matrix zeros(int rows, int cols) {
    return {.rows = rows, .cols = cols, .values = std::vector<float>(static_cast<std::size_t>(rows) * cols)};
}

int stripes(const Rows& rows) {
    return (rows.size() + kStripe - 1) / kStripe;
}

Rows part(const Rows& rows, int begin, int end) {
    return {.at = {rows.at.begin() + begin, rows.at.begin() + end}, .width = rows.width};
}

Matrix with_itself(const Rows& a) {
    Matrix out = zeros(a.size(), a.size());
    const int count = stripes(a);
    share(count, [&](int i) {  // the longest first
        const int first = (count - 1 - i) * kStripe;
        stripe(a, a, std::min(first + kStripe, a.size()), first, out);
    });
    for (int i = 0; i < out.rows; ++i) {
        for (int j = 0; j < i; ++j) {
            out.values[static_cast<std::size_t>(i) * out.cols + j] = out.at(j, i);
        }
    }
    return out;
}

}  // namespace

Matrix products(const Rows& a, const Rows& b) {
    Matrix out = zeros(a.size(), b.size());
    share(stripes(b), [&](int i) { stripe(a, b, a.size(), i * kStripe, out); });
    return out;
}

Blocks products(const Rows& a, std::span<const int> groups) {
    Blocks out;
    for (int i = 0; i < a.size(); ++i) {
        if (i == 0 || groups[i] != groups[i - 1]) out.first.push_back(i);
        out.of.push_back(static_cast<int>(out.first.size()) - 1);
    }
    for (std::size_t b = 0; b < out.first.size(); ++b) {
        const int end = b + 1 < out.first.size() ? out.first[b + 1] : a.size();
        out.blocks.push_back(with_itself(part(a, out.first[b], end)));
    }
    return out;
}

std::vector<float> weighted_sum(const Rows& rows, std::span<const double> weights) {
    constexpr int kColumns = 512;  // that a thread takes at a time
    std::vector<float> out(rows.width, 0.0F);
    share((rows.width + kColumns - 1) / kColumns, [&](int stripe) {
        const int begin = stripe * kColumns, end = std::min(begin + kColumns, rows.width);
        for (int i = 0; i < rows.size(); ++i) {
            const auto weight = static_cast<float>(weights[i]);
            for (int k = begin; k < end; ++k) out[k] += weight * rows.at[i][k];
        }
    });
    return out;
}

HIRED_FOR_ALL_VECTORS float sum_above(std::span<const float> row, std::span<const float> floor) {
    const float *r = row.data(), *f = floor.data();
    const auto size = static_cast<int>(row.size());
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < size; ++i) sum += std::max(0.0F, r[i] - f[i]);
    return sum;
}

}  // namespace hired
