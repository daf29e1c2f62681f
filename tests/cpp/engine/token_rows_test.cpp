#include "engine/token_rows.h"

#include <ggml.h>

#include <cstdint>

#include "core/error.h"
#include "golden.h"

using namespace hired;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes quantized(ggml_type type, const Floats& values, std::int64_t width) {
    const auto rows = static_cast<std::int64_t>(values.size()) / width;
    Bytes bytes(ggml_row_size(type, width) * rows);
    ggml_quantize_chunk(type, values.data(), bytes.data(), 0, rows, width, nullptr);
    return bytes;
}

}  // namespace

TEST_CASE("rows of a type are near what was quantized") {
    constexpr int kWidth = 512, kRows = 5;
    const Floats values = random_floats(std::size_t{kWidth} * kRows, 1);
    const std::pair<ggml_type, float> types[] = {
        {GGML_TYPE_F32, 0.0F},  {GGML_TYPE_F16, 0.002F}, {GGML_TYPE_Q8_0, 0.03F}, {GGML_TYPE_Q6_K, 0.2F},
        {GGML_TYPE_Q5_K, 0.3F}, {GGML_TYPE_Q4_K, 0.5F},  {GGML_TYPE_Q4_0, 0.6F},  {GGML_TYPE_Q3_K, 1.0F}};
    for (const auto& [type, error] : types) {
        CAPTURE(ggml_type_name(type));
        const Bytes bytes = quantized(type, values, kWidth);
        const Floats rows = dequantize_rows(ggml_type_name(type), bytes, ggml_row_size(type, kWidth));
        REQUIRE(rows.size() == values.size());
        for (std::size_t i = 0; i < rows.size(); ++i) REQUIRE(std::abs(rows[i] - values[i]) <= error);
    }
}

TEST_CASE("a type's name may be written in any case") {
    const Bytes bytes = quantized(GGML_TYPE_Q4_K, random_floats(256, 2), 256);
    CHECK(dequantize_rows("Q4_K", bytes, 144) == dequantize_rows("q4_k", bytes, 144));
}

TEST_CASE("types without weights, and bytes that are no rows, are refused") {
    const Bytes bytes(36);
    for (const char* name : {"Q9_Z", "", "I32", "Q8_K", "Q4_0 "}) {
        CHECK_THROWS_WITH_AS(
            dequantize_rows(name, bytes, 18),
            (std::string("[dequantize] type '") + name + "' is none of ggml's types of weights").c_str(),
            InputError);
    }
    CHECK_THROWS_WITH_AS(dequantize_rows("Q4_0", bytes, 17),
                         "[dequantize] 36 bytes in rows of 17; whole rows of q4_0 are needed, whose blocks "
                         "have 18 bytes",
                         InputError);
    for (const std::size_t row_bytes : {std::size_t{0}, std::size_t{54}}) {
        CHECK_THROWS_AS(dequantize_rows("Q4_0", bytes, row_bytes), InputError);
    }
    CHECK(dequantize_rows("Q4_0", {}, 18).empty());
}
