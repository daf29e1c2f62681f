#include "core/selectors/mmtok.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/selectors/cosines.h"
#include "core/selectors/coverage.h"

namespace hired {
namespace {

constexpr float kWordTemperature = 0.02F, kPictureTemperature = 0.2F;
constexpr float kPictureWeight = 0.5F;

// Each row through a softmax at a temperature, times `weight`.
void soften(Matrix& m, float temperature, float weight) {
    for (int i = 0; i < m.rows; ++i) {
        float* row = m.values.data() + static_cast<std::size_t>(i) * m.cols;
        const float top = *std::max_element(row, row + m.cols);
        for (int j = 0; j < m.cols; ++j) row[j] = std::exp((row[j] - top) / temperature);
        const double sum = std::accumulate(row, row + m.cols, 0.0);
        const auto scale = static_cast<float>(weight / sum);
        for (int j = 0; j < m.cols; ++j) row[j] *= scale;
    }
}

// What each candidate is to the others of its partition: softmaxes over rows, then columns to rows.
Blocks picture_worth(const Blocks& products) {
    Blocks worth = cosines(products);
    for (Matrix& block : worth.blocks) {
        soften(block, kPictureTemperature, kPictureWeight / static_cast<float>(worth.size()));
        for (int i = 0; i < block.rows; ++i) {
            for (int j = 0; j < i; ++j) {
                std::swap(block.values[static_cast<std::size_t>(i) * block.cols + j],
                          block.values[static_cast<std::size_t>(j) * block.cols + i]);
            }
        }
    }
    return worth;
}

}  // namespace

Chosen select_mmtok(const Candidates& candidates, int k) {
    Matrix words = candidates.words;
    soften(words, kWordTemperature, 1.0F / static_cast<float>(std::max(1, words.rows)));
    const std::vector<double> even(candidates.size(), 1.0);
    return pick_covering(picture_worth(candidates.products), words, even, k);
}

}  // namespace hired
