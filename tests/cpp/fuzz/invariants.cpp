#include "invariants.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "core/select.h"

using namespace hired;

namespace {

std::int64_t sum(std::span<const int> numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}

void check_axis(int canvas, int fitted, int offset) {
    MUST(fitted >= 1 && fitted <= canvas);
    MUST(offset >= 0 && offset + fitted <= canvas);
}

// No candidate that stayed out has a higher score than one that was kept.
void check_best(std::span<const double> scores, std::span<const std::uint8_t> mask, const Tiling& t,
                int partition, bool with_padding) {
    double worst_kept = std::numeric_limits<double>::infinity(), best_left = -1;
    for (const int token : candidates(t, partition, with_padding)) {
        if (mask[token]) worst_kept = std::min(worst_kept, scores[token]);
        if (!mask[token]) best_left = std::max(best_left, scores[token]);
    }
    MUST(best_left <= worst_kept);
}

// Only dropped tokens are merged, and only into kept ones.
void check_worth_and_merges(const Selection& kept, const Tiling& t) {
    MUST(std::ssize(kept.worth) == t.total());
    for (const double worth : kept.worth) MUST(std::isfinite(worth) && worth >= 0);
    MUST(kept.merged.empty() || std::ssize(kept.merged) == t.total());
    for (std::size_t id = 0; id < kept.merged.size(); ++id) {
        MUST(kept.merged[id] == -1 || (!kept.mask[id] && kept.mask[kept.merged[id]]));
    }
}

bool is_padding(const Tiling& t, int id) {
    return t.is_padding(id / t.tokens, id % t.tokens);
}

}  // namespace

void broken(const char* what, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: broken: %s\n", file, line, what);
    std::abort();
}

void check_tiling(const Tiling& t) {
    MUST(t.side >= 1 && t.side * t.patch == t.tile && t.tokens == t.side * t.side);
    MUST(t.partitions == 1 + t.grid.rows * t.grid.cols);
    check_axis(t.canvas.height, t.fitted.height, t.offset.top);
    check_axis(t.canvas.width, t.fitted.width, t.offset.left);
    MUST(t.fitted.height == t.canvas.height || t.fitted.width == t.canvas.width);
    MUST(0 <= t.row_begin && t.row_begin <= t.row_end && t.row_end <= t.rows());
    MUST(0 <= t.col_begin && t.col_begin <= t.col_end && t.col_end <= t.cols());
    const std::vector<int> room = capacities(t);
    MUST(room[0] == t.tokens);
    MUST(sum(room) == t.tokens + std::int64_t{t.row_end - t.row_begin} * (t.col_end - t.col_begin));
    for (int p = 0; p < t.partitions; ++p) {
        MUST(std::ssize(candidates(t, p, false)) == room[p]);
    }
}

void check_selection(const Selection& kept, std::span<const float> attn_last, int heads, const Tiling& t,
                     const PolicyOptions& options) {
    const bool official = options.allocation == Allocation::official;
    const bool best_of_each = options.selection == "cls" && options.allocation != Allocation::joint;
    const std::size_t block = static_cast<std::size_t>(heads) * t.tokens;
    MUST(std::ssize(kept.mask) == t.total() && std::ssize(kept.counts) == t.partitions);
    for (int p = 0; p < t.partitions; ++p) {
        const auto mask = std::span(kept.mask).subspan(static_cast<std::size_t>(p) * t.tokens, t.tokens);
        MUST(std::ranges::count(mask, 1) == kept.counts[p]);
        MUST(std::ranges::count(mask, 0) == t.tokens - kept.counts[p]);
        if (best_of_each) {
            check_best(head_sum(attn_last.subspan(p * block, block), heads), mask, t, p, official);
        }
        for (int token = 0; token < t.tokens; ++token) {
            MUST(official || !mask[token] || !t.is_padding(p, token));
        }
    }
    const std::int64_t room = sum(capacities(t)), tokens = options.tokens;
    MUST(official ? sum(kept.counts) <= tokens : sum(kept.counts) == std::min(tokens, room));
    check_worth_and_merges(kept, t);
}

void check_order(std::span<const int> order, std::span<const std::uint8_t> mask, const Tiling& t,
                 Newlines newlines) {
    std::vector<int> seen(t.total(), 0);
    int newline_rows = 0, left_out = 0;
    for (const int id : order) {
        MUST(id == kNewlineId || (id >= 0 && id < t.total()));
        ++(id == kNewlineId ? newline_rows : seen[id]);
    }
    for (int id = 0; id < t.total(); ++id) {
        const bool must = mask[id] && !is_padding(t, id);
        MUST(seen[id] == static_cast<int>(must));
        left_out += static_cast<int>(!mask[id] && !is_padding(t, id));
    }
    MUST(newline_rows <= (t.unpad && t.partitions > 1 ? t.row_end - t.row_begin : 0));
    MUST(newlines != Newlines::drop || newline_rows == 0);
    MUST(newlines != Newlines::automatic || left_out == 0 || newline_rows == 0);
    MUST(order.empty() || order.front() != kNewlineId);
}

void check_shares(std::span<const int> shares, int total, std::span<const int> capacities) {
    MUST(shares.size() == capacities.size());
    for (std::size_t i = 0; i < shares.size(); ++i) MUST(shares[i] >= 0 && shares[i] <= capacities[i]);
    MUST(sum(shares) == std::min<std::int64_t>(total, sum(capacities)));
}
