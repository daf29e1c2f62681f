#include "core/allocate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "core/budget.h"
#include "core/error.h"
#include "core/select.h"

namespace hired {
namespace {

// How much of each of the full image's patches lies in one tile, along one axis. The picture is
// fitted * side units long: a patch is `fitted` of them, a pixel of the canvas `side`.
std::vector<double> overlaps(int tile_index, int tile, int offset, int fitted, int side) {
    const std::int64_t begin = (std::int64_t{tile_index} * tile - offset) * side;
    const std::int64_t end = begin + std::int64_t{tile} * side;
    std::vector<double> shared(side);
    for (std::int64_t j = 0; j < side; ++j) {
        const std::int64_t low = std::max(begin, j * fitted), high = std::min(end, (j + 1) * fitted);
        shared[j] = static_cast<double>(std::max(std::int64_t{0}, high - low));
    }
    return shared;
}

// The mean over the heads of log attention, less the mean of all patches: CLS logits, as far as it tells
// them.
std::vector<double> logits(std::span<const float> attention, int heads) {
    constexpr double kLeast = 1e-30;  // a softmax in float32 may round to 0
    const std::size_t tokens = attention.size() / heads;
    std::vector<double> mean(tokens, 0.0);
    for (std::size_t i = 0; i < attention.size(); ++i) {
        mean[i % tokens] += std::log(std::max(static_cast<double>(attention[i]), kLeast)) / heads;
    }
    const double middle = std::accumulate(mean.begin(), mean.end(), 0.0) / static_cast<double>(tokens);
    for (double& logit : mean) logit -= middle;
    return mean;
}

std::vector<double> softmax(std::vector<double> numbers) {
    if (numbers.empty()) return numbers;
    const double top = *std::ranges::max_element(numbers);
    for (double& number : numbers) number = std::exp(number - top);
    const double sum = std::accumulate(numbers.begin(), numbers.end(), 0.0);
    for (double& number : numbers) number /= sum;
    return numbers;
}

std::vector<int> join(int full_image, const std::vector<int>& tiles) {
    std::vector<int> counts{full_image};
    counts.insert(counts.end(), tiles.begin(), tiles.end());
    return counts;
}

}  // namespace

Allocation parse_allocation(std::string_view name) {
    if (name == "hired") return Allocation::hired;
    if (name == "official") return Allocation::official;
    if (name == "uniform") return Allocation::uniform;
    if (name == "globalcom2") return Allocation::globalcom2;
    if (name == "joint") return Allocation::joint;
    throw BudgetError(
        text("[budget] allocation '", name, "'; allowed: hired, official, uniform, globalcom2, joint"));
}

std::vector<double> region_mass(std::span<const double> scores, const Tiling& t) {
    std::vector<double> mass;
    for (int r = 0; r < t.grid.rows; ++r) {
        const auto height = overlaps(r, t.tile, t.offset.top, t.fitted.height, t.side);
        for (int c = 0; c < t.grid.cols; ++c) {
            const auto width = overlaps(c, t.tile, t.offset.left, t.fitted.width, t.side);
            double sum = 0;
            for (int j = 0; j < t.tokens; ++j) sum += scores[j] * height[j / t.side] * width[j % t.side];
            mass.push_back(sum);
        }
    }
    return mass;
}

std::vector<int> allocate_hired(std::span<const double> scores, const Tiling& tiling, int budget,
                                double alpha) {
    const std::vector<int> room = capacities(tiling);
    const int full_image = std::min(static_cast<int>(alpha * budget), room[0]);
    const auto tiles =
        distribute(budget - full_image, region_mass(scores, tiling), std::span(room).subspan(1));
    const int left = budget - std::accumulate(tiles.begin(), tiles.end(), 0);
    return join(std::min(left, room[0]), tiles);
}

std::vector<int> allocate_official(std::span<const double> scores, const Tiling& t, int budget,
                                   double alpha) {
    if (t.partitions == 1) return {std::min(budget, t.tokens)};
    const int n_tiles = t.partitions - 1;
    const int full_image = std::min(static_cast<int>(budget * alpha), t.tokens);
    const int n_sub = std::min(budget - full_image, n_tiles * t.tokens);
    const int n_top = static_cast<int>(t.tokens * (1 - alpha));
    std::vector<int> tiles(n_tiles, 0);
    for (const int token : top_k(scores, candidates(t, 0, true), n_top)) {
        ++tiles[std::int64_t{token} * n_tiles / t.tokens];
    }
    for (int& tile : tiles) {
        const float share = n_top > 0 ? static_cast<float>(tile) / static_cast<float>(n_top) : 0.0F;
        tile = std::min(static_cast<int>(share * static_cast<float>(n_sub)), t.tokens);
    }
    return join(full_image, tiles);
}

std::vector<int> allocate_uniform(const Tiling& tiling, int budget) {
    return distribute(budget, std::vector<double>(tiling.partitions, 1.0), capacities(tiling));
}

std::vector<int> allocate_globalcom2(std::span<const float> attention, int heads, const Tiling& tiling,
                                     int budget) {
    constexpr double kTemperature = 10;
    std::vector<double> mass = region_mass(logits(attention, heads), tiling);
    const double patch = static_cast<double>(tiling.fitted.height) * tiling.fitted.width;  // in mass's unit
    for (double& sum : mass) sum /= patch * kTemperature;
    const std::vector<double> shares = softmax(std::move(mass));
    const std::vector<int> room = capacities(tiling);
    std::vector<double> weights{static_cast<double>(room[0])};
    for (std::size_t i = 0; i < shares.size(); ++i) {
        weights.push_back(room[i + 1] * (1 + shares[i] - 1 / static_cast<double>(shares.size())));
    }
    return distribute(budget, weights, room);
}

}  // namespace hired
