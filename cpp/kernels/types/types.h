// What the files of this folder share. Each holds one of GGUF's types: how 32 values are unpacked to bytes,
// and their scales to floats. AVX2 is all they need, so every instruction set includes them. See workspace.h
// for the anonymous namespace.
//
// A row is read in stretches of 256 values (the last may be shorter where blocks are), each of 8 parts of 32
// values. A type has
//   kBlock     values in a block of the file
//   kBytes     bytes in a block
//   kGroup     values that share a scale, 16 or 32
//   kLargest   of the unpacked bytes
//   kBias      what an unpacked byte is too large by
//   kMins      whether each part has a minimum, which is taken off its values
//   values()   a part as 32 unsigned bytes
//   scales()   of 8 groups; `half` is 1 for the second eight of sixteen; `parts` is how many there are
//   mins()     of 8 parts
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace hired {
namespace {

using Bytes = const std::uint8_t*;

constexpr int kPart = 32;
constexpr int kParts = 8;
constexpr int kStretch = kPart * kParts;

[[maybe_unused]] inline __m256i load32(Bytes p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

[[maybe_unused]] inline __m128i load16(Bytes p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

[[maybe_unused]] inline std::uint16_t load_half(Bytes p) {
    std::uint16_t half;
    __builtin_memcpy(&half, p, sizeof(half));
    return half;
}

[[maybe_unused]] inline std::uint32_t load_word(Bytes p) {
    std::uint32_t word;
    __builtin_memcpy(&word, p, sizeof(word));
    return word;
}

[[maybe_unused]] inline __m256 half_everywhere(Bytes p) {
    return _mm256_cvtph_ps(_mm_set1_epi16(static_cast<short>(load_half(p))));
}

// 16 bytes of two 4-bit values: the low ones, then the high ones.
[[maybe_unused]] inline __m256i nibbles16(Bytes p) {
    const __m128i pairs = load16(p);
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(pairs), _mm_srli_epi16(pairs, 4), 1);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

// The low or the high 4 bits of 32 bytes.
[[maybe_unused]] inline __m256i nibbles32(Bytes p, int high) {
    const __m256i pairs = _mm256_srl_epi16(load32(p), _mm_cvtsi32_si128(4 * high));
    return _mm256_and_si256(pairs, _mm256_set1_epi8(15));
}

// Bit (or bits) `shift` on of 32 bytes, moved to `to`.
[[maybe_unused]] inline __m256i bits32(Bytes p, int shift, int mask, int to) {
    const __m256i bits = _mm256_srl_epi16(load32(p), _mm_cvtsi32_si128(shift));
    const __m256i few = _mm256_and_si256(bits, _mm256_set1_epi8(static_cast<char>(mask)));
    return _mm256_sll_epi16(few, _mm_cvtsi32_si128(to));
}

// The half-precision scale at the start of each block of 32 values.
template <int Stride>
inline __m256 scale_of_each(Bytes stretch, int parts) {
    alignas(16) std::uint16_t halves[kParts] = {};
    for (int i = 0; i < parts; ++i) halves[i] = load_half(stretch + i * Stride);
    return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(halves)));
}

// Q4_K's and Q5_K's 8 scales and 8 minima of 6 bits each, in 12 bytes.
[[maybe_unused]] inline __m256 bytes_to_floats(std::uint32_t first, std::uint32_t last) {
    const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(std::uint64_t{last} << 32 | first));
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

[[maybe_unused]] inline __m256 six_bit_scales(Bytes p) {
    const std::uint32_t a = load_word(p), c = load_word(p + 8);
    return bytes_to_floats(a & 0x3f3f3f3fU, (c & 0x0f0f0f0fU) | (a >> 2 & 0x30303030U));
}

[[maybe_unused]] inline __m256 six_bit_mins(Bytes p) {
    const std::uint32_t b = load_word(p + 4), c = load_word(p + 8);
    return bytes_to_floats(b & 0x3f3f3f3fU, (c >> 4 & 0x0f0f0f0fU) | (b >> 2 & 0x30303030U));
}

}  // namespace
}  // namespace hired
