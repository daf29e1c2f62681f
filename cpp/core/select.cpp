#include "core/select.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace hired {

std::vector<double> head_sum(std::span<const float> attention, int heads) {
    const std::size_t tokens = attention.size() / heads;
    std::vector<double> scores(tokens, 0.0);
    for (std::size_t i = 0; i < attention.size(); ++i) scores[i % tokens] += attention[i];
    return scores;
}

std::vector<int> top_k(std::span<const double> scores, std::vector<int> candidates, int k) {
    if (k < 0 || k > std::ssize(candidates)) {
        throw InputError(
            text("[select] ", k, " tokens; 0 to ", candidates.size(), " candidates are allowed"));
    }
    const auto better = [&](int a, int b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; };
    std::ranges::nth_element(candidates, candidates.begin() + k, better);
    candidates.resize(k);
    return candidates;
}

std::vector<int> candidates(const Tiling& tiling, int partition, bool with_padding) {
    std::vector<int> tokens;
    for (int token = 0; token < tiling.tokens; ++token) {
        if (with_padding || !tiling.is_padding(partition, token)) tokens.push_back(token);
    }
    return tokens;
}

void check_attention(const char* name, std::span<const float> attention, int heads, const Tiling& tiling) {
    if (heads < 1) throw InputError(text("[select] ", name, " has ", heads, " heads; at least 1 is needed"));
    const std::size_t row = tiling.tokens, block = row * heads, size = block * tiling.partitions;
    if (attention.size() != size) {
        throw InputError(text("[select] ", name, " holds ", attention.size(), " numbers; [",
                              tiling.partitions, ", ", heads, ", ", tiling.tokens, "] are needed"));
    }
    for (std::size_t i = 0; i < size; ++i) {
        if (std::isfinite(attention[i]) && attention[i] >= 0) continue;
        const std::string where = text("[select] ", name, " at partition ", i / block, ", head ",
                                       i % block / row, ", token ", i % row);
        if (std::isfinite(attention[i])) {
            throw InputError(text(where, " is ", attention[i], "; attention must not be negative"));
        }
        throw NumericError(text(where, " is ", attention[i], "; attention must be finite"));
    }
}

}  // namespace hired
