#include "kernels/q4_avx512.h"

namespace hired {
namespace {

float round_to_half(float v) {
    return _cvtsh_ss(_cvtss_sh(v, _MM_FROUND_TO_NEAREST_INT));
}

// 16 values as bytes; minus 8 times the sum of each 4 is added to `lanes`.
void store_values(__m512 x, float factor, std::int8_t* to, __m128i& lanes) {
    const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x, _mm512_set1_ps(factor))));
    _mm_store_si128(reinterpret_cast<__m128i*>(to), bytes);
    lanes = _mm_dpbusd_epi32(lanes, _mm_set1_epi8(8), bytes);
}

void quantize_block(const float* x, const Row& row, int block) {
    const __m512 first = _mm512_loadu_ps(x);
    const __m512 last = _mm512_loadu_ps(x + 16);
    const float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(first), _mm512_abs_ps(last)));
    const float factor = largest > 0 ? 127.0F / largest : 0.0F;
    __m128i eights = _mm_setzero_si128();
    store_values(first, factor, row.values + place(block), eights);
    store_values(last, factor, row.values + place(block) + 64, eights);
    const __m128i lanes = _mm_sub_epi32(_mm_setzero_si128(), eights);
    _mm_store_si128(reinterpret_cast<__m128i*>(row.lanes + 4 * block), lanes);
    const __m128i pairs = _mm_add_epi32(lanes, _mm_shuffle_epi32(lanes, 0x4e));
    row.sums[block] = _mm_cvtsi128_si32(_mm_add_epi32(pairs, _mm_shuffle_epi32(pairs, 0xb1)));
    row.scales[block] = round_to_half(largest / 127.0F);
}

void zero_block(const Row& row, int block) {
    _mm_store_si128(reinterpret_cast<__m128i*>(row.values + place(block)), _mm_setzero_si128());
    _mm_store_si128(reinterpret_cast<__m128i*>(row.values + place(block) + 64), _mm_setzero_si128());
    _mm_store_si128(reinterpret_cast<__m128i*>(row.lanes + 4 * block), _mm_setzero_si128());
    row.sums[block] = 0;
    row.scales[block] = 0;
}

}  // namespace

std::size_t q8_row_bytes(int depth) {
    return padded_blocks(depth) * kBytesPerBlock;
}

void quantize_q8(const float* x, std::size_t x_stride, int rows, int depth, void* q8, int thread,
                 int threads) {
    const int blocks = depth / kQ4Block;
    for (int i = thread; i < rows; i += threads) {
        const Row row = row_at(q8, i, depth);
        for (int b = 0; b < blocks; ++b) quantize_block(x + i * x_stride + b * kQ4Block, row, b);
        for (int b = blocks; b < padded_blocks(depth); ++b) zero_block(row, b);
    }
}

}  // namespace hired
