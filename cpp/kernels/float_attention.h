// Attention, on the vectors that stand before this header is included, as float_product.h.
#pragma once

#include "kernels/attention.h"
#include "kernels/float_product.h"

namespace hired {
namespace {

// e^x for x <= 0 as 2^n e^r with |r| <= ln 2 / 2. ln 2 is taken off in two parts, the first short enough for
// n * ln 2 to be exact. e^r = 1 + r + r^2 p(r), p fitted by least squares. Relative error 1.2e-7; what is
// below e^-86 = 4e-38 becomes that, which beside 1 is 0. NaN stays NaN.
Vector exp_negative(Vector x) {
    constexpr float kFit[] = {8.369223508e-3F, 4.166626152e-2F, 1.666651538e-1F, 5.000000081e-1F};
    x = larger(all(-86.0F), x);
    const Vector n = nearest(times(x, all(1.44269504F)));
    Vector r = fma(n, all(-0.693359375F), x);
    r = fma(n, all(2.12194440e-4F), r);
    Vector p = all(1.394656195e-3F);
    HIRED_UNROLL
    for (int i = 0; i < 4; ++i) p = fma(p, r, all(kFit[i]));
    return times_power(fma(p, times(r, r), add(r, all(1.0F))), n);
}

// Replaces a row of scores by e^(scale * (score - largest)). Returns 1 / their sum.
float exponentiate(float* row, int n, float scale) {
    Vector largest = all(-__builtin_inff());
    for (int j = 0; j < n; j += kLanes) {
        largest = larger(largest, join(load(row + j, n - j), largest, n - j));
    }
    const Vector factor = all(scale);
    const Vector offset = all(-largest_of(largest) * scale);
    Vector sum = all(0);
    for (int j = 0; j < n; j += kLanes) {
        const Vector e = exp_negative(fma(load(row + j, n - j), factor, offset));
        sum = add(sum, join(e, all(0), n - j));
        store(row + j, e, n - j);
    }
    return 1.0F / sum_of(sum);
}

void multiply_row(float* row, int n, float factor) {
    for (int j = 0; j < n; j += kLanes) store(row + j, times(load(row + j, n - j), all(factor)), n - j);
}

thread_local Workspace score_rows, factor_rows;

// The rows are divided by their sums at the end: there they are shorter.
void attend_head(const Attention& a, std::size_t at) {
    const std::size_t token = static_cast<std::size_t>(a.heads) * a.width;
    const std::size_t stride = (a.tokens + kLanes - 1) / kLanes * kLanes;
    float* scores = score_rows.floats(a.tokens * stride);
    float* factors = factor_rows.floats(a.tokens);
    multiply_here({.rows = a.tokens,
                   .columns = a.tokens,
                   .depth = a.width,
                   .x = a.q + at,
                   .x_stride = token,
                   .w = a.k + at,
                   .w_stride = token,
                   .y = scores,
                   .y_stride = stride},
                  0, 1);
    for (int i = 0; i < a.tokens; ++i) factors[i] = exponentiate(scores + i * stride, a.tokens, a.scale);
    multiply_here({.rows = a.tokens,
                   .columns = a.width,
                   .depth = a.tokens,
                   .x = scores,
                   .x_stride = stride,
                   .w = a.v + at,
                   .w_stride = token,
                   .weights = Weights::f32_transposed,
                   .y = a.out + at,
                   .y_stride = token},
                  0, 1);
    for (int i = 0; i < a.tokens; ++i) multiply_row(a.out + at + i * token, a.width, factors[i]);
}

void attend_here(const Attention& a, int thread, int threads) {
    const int heads = a.partitions * a.heads;
    for (int h = thread; h < heads; h += threads) {
        const std::size_t partition = h / a.heads;
        attend_head(a, (partition * a.tokens * a.heads + h % a.heads) * a.width);
    }
}

}  // namespace
}  // namespace hired
