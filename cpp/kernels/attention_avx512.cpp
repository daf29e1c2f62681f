#include "kernels/attention.h"
#include "kernels/avx512.h"
#include "kernels/product.h"

namespace hired::avx512 {

void multiply(const Product& product, int thread, int threads);

namespace {

// e^x for x <= 0 as 2^n e^r with |r| <= ln 2 / 2. ln 2 is taken off in two parts, the first short enough for
// n * ln 2 to be exact. e^r = 1 + r + r^2 p(r), p fitted by least squares. Relative error 1.2e-7. NaN stays
// NaN.
__m512 exp_negative(__m512 x) {
    constexpr float kFit[] = {8.369223508e-3F, 4.166626152e-2F, 1.666651538e-1F, 5.000000081e-1F};
    x = _mm512_max_ps(_mm512_set1_ps(-104.0F), x);  // e^-104 is 0 in float32
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)), 0);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375F), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4F), r);
    __m512 p = _mm512_set1_ps(1.394656195e-3F);
    HIRED_UNROLL
    for (int i = 0; i < 4; ++i) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(kFit[i]));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0F)));
    return _mm512_scalef_ps(p, n);
}

// Replaces a row of scores by e^(scale * (score - largest)). Returns 1 / their sum.
float exponentiate(float* row, int n, float scale) {
    __m512 largest = _mm512_set1_ps(-__builtin_inff());
    for (int j = 0; j < n; j += 16) {
        largest =
            _mm512_mask_max_ps(largest, lanes(n - j), largest, _mm512_maskz_loadu_ps(lanes(n - j), row + j));
    }
    const __m512 factor = _mm512_set1_ps(scale);
    const __m512 offset = _mm512_set1_ps(_mm512_reduce_max_ps(largest) * scale);
    __m512 sum = _mm512_setzero_ps();
    for (int j = 0; j < n; j += 16) {
        const __mmask16 m = lanes(n - j);
        const __m512 e = exp_negative(_mm512_fmsub_ps(_mm512_maskz_loadu_ps(m, row + j), factor, offset));
        sum = _mm512_mask_add_ps(sum, m, sum, e);
        _mm512_mask_storeu_ps(row + j, m, e);
    }
    return 1.0F / _mm512_reduce_add_ps(sum);
}

void multiply_row(float* row, int n, float factor) {
    const __m512 f = _mm512_set1_ps(factor);
    for (int j = 0; j < n; j += 16) {
        const __mmask16 m = lanes(n - j);
        _mm512_mask_storeu_ps(row + j, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, row + j), f));
    }
}

thread_local Workspace score_rows, factor_rows;

// The rows are divided by their sums at the end: there they are shorter.
void attend_head(const Attention& a, std::size_t at) {
    const std::size_t token = static_cast<std::size_t>(a.heads) * a.width;
    const std::size_t stride = (a.tokens + 15) / 16 * 16;
    float* scores = score_rows.floats(a.tokens * stride);
    float* factors = factor_rows.floats(a.tokens);
    multiply({.rows = a.tokens,
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
    multiply({.rows = a.tokens,
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

}  // namespace

void attend(const Attention& a, int thread, int threads) {
    const int heads = a.partitions * a.heads;
    for (int h = thread; h < heads; h += threads) {
        const std::size_t partition = h / a.heads;
        attend_head(a, (partition * a.tokens * a.heads + h % a.heads) * a.width);
    }
}

}  // namespace hired::avx512
