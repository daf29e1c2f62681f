// libFuzzer's harness of cpp/core: bytes to options and arrays. Only hired::Error may leave, and what is
// returned must keep the invariants. The first byte says which part is tried.
#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "core/budget.h"
#include "core/error.h"
#include "core/selector.h"
#include "invariants.h"

using namespace hired;

namespace {

constexpr int kMostTokens = 4096;   // of a picture, so that thousands are tried in a second
constexpr int kMostCompared = 200;  // of a picture whose tokens are compared with each other

// Mostly sizes that the core accepts, sometimes any integer.
int any_size(FuzzedDataProvider& data, int most) {
    return data.ConsumeIntegralInRange(0, 15) ? data.ConsumeIntegralInRange(1, most)
                                              : data.ConsumeIntegral<int>();
}

Tiling any_tiling(FuzzedDataProvider& data) {
    const int patch = any_size(data, 16);
    const int side = data.ConsumeIntegralInRange(1, 8);
    const bool exact = data.ConsumeIntegralInRange(0, 15) != 0 && patch > 0 && patch <= 1 << 20;
    const int tile = exact ? patch * side : data.ConsumeIntegral<int>();
    std::vector<Size> pinpoints(data.ConsumeIntegralInRange(0, 4));
    for (Size& p : pinpoints) {
        const int rows = any_size(data, 4), cols = any_size(data, 4);
        const bool in_tiles = rows > 0 && rows <= 4 && cols > 0 && cols <= 4 && exact;
        p = in_tiles ? Size{.height = rows * tile, .width = cols * tile}
                     : Size{.height = rows, .width = cols};
    }
    const Size image{.height = any_size(data, 2000), .width = any_size(data, 2000)};
    return make_tiling(image, pinpoints, tile, patch, data.ConsumeBool());
}

// Few different values, so that ties are common; sometimes what must be refused.
std::vector<float> any_attention(FuzzedDataProvider& data, std::size_t size) {
    constexpr std::array kValues{0.0F, 1.0F, 0.5F, 1e-30F, 3e38F, 1e-45F, 0.25F};
    const bool hostile = data.ConsumeIntegralInRange(0, 15) == 0;
    std::vector<float> attention(size);
    for (float& a : attention) {
        const auto byte = data.ConsumeIntegral<std::uint8_t>();
        a = byte < kValues.size() ? kValues[byte] : static_cast<float>(byte) / 255.0F;
    }
    if (hostile && size) attention[data.ConsumeIntegralInRange<std::size_t>(0, size - 1)] = -1.0F;
    if (hostile && size && data.ConsumeBool()) attention.back() = std::numeric_limits<float>::quiet_NaN();
    return attention;
}

// As many rows as a picture has tokens, or a few words; now and then one number too few.
std::vector<float> any_rows(FuzzedDataProvider& data, std::size_t count, int width) {
    std::vector<float> rows = any_attention(data, count * width);
    for (float& number : rows) number = data.ConsumeBool() ? number : -number;
    if (!rows.empty() && data.ConsumeIntegralInRange(0, 31) == 0) rows.pop_back();
    return rows;
}

std::string_view any_selection(FuzzedDataProvider& data) {
    const auto all = selectors();
    const auto number = data.ConsumeIntegralInRange<std::size_t>(0, all.size());
    return number < all.size() ? all[number].name : "no such selection";
}

void try_selection(FuzzedDataProvider& data) {
    const Tiling tiling = any_tiling(data);
    if (tiling.total() > kMostTokens) return;
    check_tiling(tiling);
    const int heads = data.ConsumeIntegralInRange(0, 3);
    const PolicyOptions options{
        .tokens = any_size(data, tiling.total()),
        .alpha = data.ConsumeBool() ? data.ConsumeProbability<double>() : data.ConsumeFloatingPoint<double>(),
        .allocation = static_cast<Allocation>(data.ConsumeIntegralInRange(0, 5)),
        .selection = any_selection(data)};
    const auto newlines = static_cast<Newlines>(data.ConsumeIntegralInRange(0, 2));
    const std::size_t size = static_cast<std::size_t>(heads) * tiling.total();
    const auto first = any_attention(data, size), last = any_attention(data, size);
    Evidence evidence{.attn_first = first, .attn_last = last, .heads = heads};
    std::vector<float> rows, question;
    if (tiling.total() <= kMostCompared && data.ConsumeBool()) {
        evidence.width = data.ConsumeIntegralInRange(0, 5);
        rows = any_rows(data, tiling.total(), evidence.width);
        evidence.rows = rows;
        if (data.ConsumeBool()) {
            evidence.words = data.ConsumeIntegralInRange(0, 3);
            question = any_rows(data, evidence.words, evidence.width);
            evidence.question = question;
        }
    }
    const Selection kept = select_tokens(evidence, tiling, options);
    check_selection(kept, last, heads, tiling, options);
    const Selection again = select_tokens(evidence, tiling, options);
    MUST(kept.mask == again.mask && kept.counts == again.counts && kept.merged == again.merged);
    check_order(pack_order(kept.mask, tiling, newlines), kept.mask, tiling, newlines);
}

void try_packing(FuzzedDataProvider& data) {
    const Tiling tiling = any_tiling(data);
    if (tiling.total() > kMostTokens) return;
    const auto newlines = static_cast<Newlines>(data.ConsumeIntegralInRange(0, 2));
    const Tiling chosen = data.ConsumeBool() && tiling.partitions > 1 ? transposed(tiling) : tiling;
    std::vector<std::uint8_t> mask(any_size(data, 1) == 1 ? tiling.total() : 3);
    const bool all = data.ConsumeBool();
    for (auto& m : mask) m = all || data.ConsumeBool();
    check_order(pack_order(mask, chosen, newlines), mask, chosen, newlines);
}

void try_shares(FuzzedDataProvider& data) {
    std::vector<double> weights(data.ConsumeIntegralInRange(0, 12));
    std::vector<int> room(data.ConsumeIntegralInRange(0, 15) ? weights.size() : 1);
    for (double& w : weights) {
        w = data.ConsumeBool() ? data.ConsumeIntegralInRange(0, 9) : data.ConsumeFloatingPoint<double>();
    }
    for (int& r : room) r = any_size(data, 600);
    const int total = any_size(data, 3000);
    check_shares(distribute(total, weights, room), total, room);
}

void try_budget(FuzzedDataProvider& data) {
    const int partitions = any_size(data, 5), tokens = any_size(data, 576);
    const std::int64_t all = std::int64_t{partitions} * tokens;
    if (data.ConsumeBool()) {
        const auto count = data.ConsumeIntegral<std::int64_t>();
        MUST(budget_tokens(static_cast<long long>(count), partitions, tokens) == count);
        MUST(count >= 1 && count <= all);
        return;
    }
    const double fraction =
        data.ConsumeBool() ? data.ConsumeProbability<double>() : data.ConsumeFloatingPoint<double>();
    const int count = budget_tokens(fraction, partitions, tokens);
    MUST(count >= 1 && count <= all);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    FuzzedDataProvider data(bytes, size);
    constexpr std::array kParts{try_selection, try_selection, try_packing, try_shares, try_budget};
    try {
        data.PickValueInArray(kParts)(data);
    } catch (const Error& error) {
        MUST(error.what()[0] == '[');  // it names the operation
    }
    return 0;
}
