// What the *_avx512.cpp files for Q4_0 share. See avx512.h for the anonymous namespace.
#pragma once

#include <cstdint>

#include "kernels/avx512.h"
#include "kernels/q4.h"

namespace hired {

/// multiply_q4 for columns first to last and few rows.
void multiply_few_rows(const Q4Product& product, int first, int last);

namespace {

struct Q4 {
    std::uint16_t scale;
    std::uint8_t pairs[16];
};
static_assert(sizeof(Q4) == kQ4BlockBytes);

constexpr int kGroup = 4;  // blocks whose low halves, or high halves, fill a vector
constexpr int kUnit = 8;   // blocks of a row are padded to a multiple of this, with zeros
constexpr std::size_t kBytesPerBlock = 32 + 16 + 4 + 4;

// A row of x: of each group of 4 blocks the first 16 values of each, then the last 16 of each.
struct Row {
    std::int8_t* values;  // 128 a group
    std::int32_t* lanes;  // 16 a group: -8 * the sum of the 8 values that meet in a 32-bit lane
    std::int32_t* sums;   // a block: -8 * the sum of its values
    float* scales;        // a block
};

[[maybe_unused]] inline int padded_blocks(int depth) {
    return (depth / kQ4Block + kUnit - 1) / kUnit * kUnit;
}

[[maybe_unused]] inline Row row_at(const void* q8, int row, int depth) {
    const std::size_t blocks = padded_blocks(depth);
    auto* base = static_cast<std::int8_t*>(const_cast<void*>(q8)) + row * blocks * kBytesPerBlock;
    return {.values = base,
            .lanes = reinterpret_cast<std::int32_t*>(base + 32 * blocks),
            .sums = reinterpret_cast<std::int32_t*>(base + 48 * blocks),
            .scales = reinterpret_cast<float*>(base + 52 * blocks)};
}

// Where the first values of a block are; the last are 64 bytes further.
[[maybe_unused]] inline std::size_t place(int block) {
    return static_cast<std::size_t>(block) / kGroup * 128 + block % kGroup * 16;
}

[[maybe_unused]] inline __m128i load16(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}

// Bytes 0 to 15 of four places.
[[maybe_unused]] inline __m512i gather16(const void* a, const void* b, const void* c, const void* d) {
    __m512i v = _mm512_castsi128_si512(load16(a));
    v = _mm512_inserti32x4(v, load16(b), 1);
    v = _mm512_inserti32x4(v, load16(c), 2);
    return _mm512_inserti32x4(v, load16(d), 3);
}

[[maybe_unused]] inline __m512i low_halves(__m512i v) {
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}

[[maybe_unused]] inline __m512i high_halves(__m512i v) {
    return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
}

}  // namespace
}  // namespace hired
