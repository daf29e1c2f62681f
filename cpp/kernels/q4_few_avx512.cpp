#include "kernels/q4_avx512.h"

// A row of x at a time, as when an answer is written: the weights' way from memory is what takes time.

namespace hired {
namespace {

constexpr int kAhead = 2048;  // bytes; the CPU's own prefetching ends with the page

// Four blocks times their share of x, as 16 sums that still want their scales.
__m512 group_sums(const Q4* w, const std::int8_t* x, const std::int32_t* lanes) {
    const __m512i pairs = gather16(w[0].pairs, w[1].pairs, w[2].pairs, w[3].pairs);
    __m512i sum = _mm512_load_si512(lanes);
    sum = _mm512_dpbusd_epi32(sum, low_halves(pairs), _mm512_load_si512(x));
    sum = _mm512_dpbusd_epi32(sum, high_halves(pairs), _mm512_load_si512(x + 64));
    return _mm512_cvtepi32_ps(sum);
}

// The scales of eight blocks are words 0, 9, ... 63 of the 72 that they take.
__m256 scales_of_eight(const Q4* w) {
    const __m512i words = _mm512_castsi128_si512(_mm_set_epi16(63, 54, 45, 36, 27, 18, 9, 0));
    const char* p = reinterpret_cast<const char*>(w);
    const __m512i v = _mm512_permutex2var_epi16(_mm512_loadu_si512(p), words, _mm512_loadu_si512(p + 64));
    return _mm256_cvtph_ps(_mm512_castsi512_si128(v));
}

__m512 add_eight(const Q4* w, const Row& x, int block, __m512 total) {
    const __m512i first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    const __m512i last = _mm512_set_epi32(7, 7, 7, 7, 6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4);
    const __m512 scales =
        _mm512_castps256_ps512(_mm256_mul_ps(scales_of_eight(w), _mm256_load_ps(x.scales + block)));
    const std::int8_t* values = x.values + place(block);
    const std::int32_t* lanes = x.lanes + 4 * block;
    total = _mm512_fmadd_ps(group_sums(w, values, lanes), _mm512_permutexvar_ps(first, scales), total);
    return _mm512_fmadd_ps(group_sums(w + kGroup, values + 128, lanes + 16),
                           _mm512_permutexvar_ps(last, scales), total);
}

void prefetch(const Q4* w) {
    const char* p = reinterpret_cast<const char*>(w) + kAhead;
    HIRED_UNROLL
    for (int line = 0; line < 3; ++line) _mm_prefetch(p + 64 * line, _MM_HINT_T0);
}

float dot(const Q4* w, const Row& x, int blocks) {
    __m512 total = _mm512_setzero_ps();
    int b = 0;
    for (; b + kUnit <= blocks; b += kUnit) {
        prefetch(w + b);
        total = add_eight(w + b, x, b, total);
    }
    if (b < blocks) {
        Q4 rest[kUnit] = {};
        for (int i = 0; b + i < blocks; ++i) rest[i] = w[b + i];
        total = add_eight(rest, x, b, total);
    }
    return _mm512_reduce_add_ps(total);
}

}  // namespace

void multiply_few_rows(const Q4Product& p, int first, int last) {
    const int blocks = p.depth / kQ4Block;
    for (int n = first; n < last; ++n) {
        const Q4* w = static_cast<const Q4*>(p.w) + static_cast<std::size_t>(n) * blocks;
        for (int i = 0; i < p.rows; ++i) p.y[i * p.y_stride + n] = dot(w, row_at(p.q8, i, p.depth), blocks);
    }
}

}  // namespace hired
