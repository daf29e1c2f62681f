// The rows of a language model's token table as numbers: what llama.cpp makes of token ids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hired {

/// Rows of ggml type `type` ("Q4_K", "F16"; case does not matter), `row_bytes` each, as float32 [rows, width]
/// by ggml's own conversion: the numbers that ggml_get_rows gives.
/// Throws InputError (a type that is not there or holds no weights, bytes that are no whole rows).
std::vector<float> dequantize_rows(const std::string& type, std::span<const std::uint8_t> bytes,
                                   std::size_t row_bytes);

}  // namespace hired
