#include "core/budget.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

#include "core/error.h"

namespace hired {
namespace {

constexpr double kMostWeight = 1e290;  // times any int it is still finite

struct Entry {
    int index;
    double weight;
    int room;
    double quota = 0;
};

void check(int total, std::span<const double> weights, std::span<const int> capacities) {
    if (weights.size() != capacities.size()) {
        throw InputError(
            text("[distribute] ", weights.size(), " weights for ", capacities.size(), " capacities"));
    }
    if (total < 0) throw InputError(text("[distribute] total is ", total, "; it must not be negative"));
    for (const double w : weights) {
        if (!(w >= 0 && w <= kMostWeight)) {
            throw InputError(text("[distribute] weight ", w, "; 0 to 1e290 is allowed"));
        }
    }
    for (const int c : capacities) {
        if (c < 0) throw InputError(text("[distribute] capacity ", c, "; it must not be negative"));
    }
}

void set_quotas(std::vector<Entry>& open, int total) {
    double sum = 0;
    for (const Entry& e : open) sum += e.weight;
    if (sum == 0) {
        for (Entry& e : open) {
            e.weight = e.room;
            sum += e.weight;
        }
    }
    for (Entry& e : open) e.quota = sum > 0 ? total * e.weight / sum : 0;
}

// Floors, then one token each for the largest fractions.
void share_out(std::vector<Entry>& open, int total, std::vector<int>& counts) {
    for (const Entry& e : open) {
        counts[e.index] = static_cast<int>(e.quota);
        total -= counts[e.index];
    }
    std::ranges::stable_sort(open, std::greater{},
                             [](const Entry& e) { return e.quota - std::floor(e.quota); });
    for (int i = 0; i < total; ++i) ++counts[open[i].index];
}

std::int64_t all_tokens(int partitions, int tokens) {
    const std::int64_t all = std::int64_t{partitions} * tokens;
    if (partitions < 1 || tokens < 1 || all > std::numeric_limits<int>::max()) {
        throw InputError(text("[budget] ", partitions, " partitions of ", tokens,
                              " tokens; both must be at least 1, their product at most 2147483647"));
    }
    return all;
}

}  // namespace

int budget_tokens(double fraction, int partitions, int tokens) {
    if (!(fraction > 0 && fraction <= 1)) {
        throw BudgetError(text("[budget] fraction ", fraction, " is outside (0, 1]"));
    }
    const std::int64_t all = all_tokens(partitions, tokens);
    const int count = static_cast<int>(fraction * static_cast<double>(all));
    if (count < 1) {
        throw BudgetError(
            text("[budget] fraction ", fraction, " of ", all, " tokens is less than one token"));
    }
    return count;
}

int budget_tokens(long long count, int partitions, int tokens) {
    const std::int64_t all = all_tokens(partitions, tokens);
    if (count < 1) throw BudgetError(text("[budget] ", count, " tokens; at least 1 is allowed"));
    if (count > all) throw BudgetError(text("[budget] ", count, " tokens exceed the ", all, " there are"));
    return static_cast<int>(count);
}

std::vector<int> distribute(int total, std::span<const double> weights, std::span<const int> capacities) {
    check(total, weights, capacities);
    std::vector<int> counts(weights.size(), 0);
    std::vector<Entry> open;
    for (int i = 0; i < std::ssize(weights); ++i) {
        open.push_back({.index = i, .weight = weights[i], .room = capacities[i]});
    }
    for (bool filled = true; filled && !open.empty();) {
        set_quotas(open, total);
        const auto has_room = [](const Entry& e) { return e.quota < e.room; };
        // NOLINTNEXTLINE(modernize-use-ranges): clang before 16 rejects GCC's subrange
        const auto full = std::stable_partition(open.begin(), open.end(), has_room);
        filled = full != open.end();
        for (auto e = full; e != open.end(); ++e) {
            counts[e->index] = e->room;
            total -= e->room;
        }
        open.erase(full, open.end());
    }
    if (!open.empty()) share_out(open, total, counts);
    return counts;
}

}  // namespace hired
