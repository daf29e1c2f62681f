#include "engine/token_rows.h"

#include <ggml.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "core/error.h"

namespace hired {
namespace {

bool same_letters(const std::string& a, const std::string& b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

ggml_type parse_type(const std::string& name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        const ggml_type_traits* traits = ggml_get_type_traits(type);
        const bool readable = type == GGML_TYPE_F32 || traits->to_float;
        if (readable && traits->type_name && same_letters(name, traits->type_name)) return type;
    }
    throw InputError(text("[dequantize] type '", name, "' is none of ggml's types of weights"));
}

}  // namespace

std::vector<float> dequantize_rows(const std::string& type_name, std::span<const std::uint8_t> bytes,
                                   std::size_t row_bytes) {
    const ggml_type type = parse_type(type_name);
    const std::size_t block = ggml_type_size(type);
    if (row_bytes == 0 || row_bytes % block != 0 || bytes.size() % row_bytes != 0) {
        throw InputError(text("[dequantize] ", bytes.size(), " bytes in rows of ", row_bytes,
                              "; whole rows of ", ggml_type_name(type), " are needed, whose blocks have ",
                              block, " bytes"));
    }
    const std::size_t width = row_bytes / block * ggml_blck_size(type);
    std::vector<float> rows(bytes.size() / row_bytes * width);
    if (rows.empty()) return rows;
    if (type == GGML_TYPE_F32) {
        std::memcpy(rows.data(), bytes.data(), bytes.size());
    } else {
        ggml_get_type_traits(type)->to_float(bytes.data(), rows.data(),
                                             static_cast<std::int64_t>(rows.size()));
    }
    return rows;
}

}  // namespace hired
