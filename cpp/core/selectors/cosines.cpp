#include "core/selectors/cosines.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hired {
namespace {

// change(number, row, column) for each number that is known.
template <typename Change>
void for_each(Blocks& matrix, const Change& change) {
    for (std::size_t b = 0; b < matrix.blocks.size(); ++b) {
        Matrix& block = matrix.blocks[b];
        for (int i = 0; i < block.rows; ++i) {
            float* row = block.values.data() + static_cast<std::size_t>(i) * block.cols;
            for (int j = 0; j < block.cols; ++j) change(row[j], matrix.first[b] + i, matrix.first[b] + j);
        }
    }
}

double squared_length(const std::vector<float>& row) {
    double sum = 0;
    for (const float number : row) sum += static_cast<double>(number) * number;
    return sum;
}

}  // namespace

std::vector<double> inverse_lengths(const Blocks& products) {
    std::vector<double> inverse(products.size());
    for (int i = 0; i < products.size(); ++i) {
        const double squared = products.diagonal(i);
        inverse[i] = squared > 0 ? 1 / std::sqrt(squared) : 0;
    }
    return inverse;
}

Centre centre_of(const Rows& rows, const Blocks& products) {
    const std::vector<double> even(rows.size(), 1.0 / rows.size()), inverse = inverse_lengths(products);
    const std::vector<float> mean = weighted_sum(rows, even), direction = weighted_sum(rows, inverse);
    const Matrix found = hired::products({.at = {mean.data(), direction.data()}, .width = rows.width}, rows);
    Centre centre{.with_mean = {found.row(0).begin(), found.row(0).end()},
                  .squared = squared_length(mean),
                  .likeness = {found.row(1).begin(), found.row(1).end()}};
    for (int i = 0; i < rows.size(); ++i) centre.likeness[i] *= inverse[i];
    return centre;
}

Blocks cosines(Blocks products) {
    const std::vector<double> inverse = inverse_lengths(products);
    for_each(products, [&](float& number, int i, int j) {
        number = static_cast<float>(std::clamp(number * inverse[i] * inverse[j], -1.0, 1.0));
    });
    return products;
}

Blocks centred_cosines(const Candidates& candidates) {
    const Centre& centre = candidates.centre;
    Blocks centred = candidates.products;
    for_each(centred, [&](float& number, int i, int j) {
        number = static_cast<float>(number - static_cast<double>(centre.with_mean[i]) - centre.with_mean[j] +
                                    centre.squared);
    });
    return cosines(std::move(centred));
}

std::vector<double> distinctness(const Candidates& candidates) {
    std::vector<double> unlike;
    for (int i = 0; i < candidates.size(); ++i) {
        const double itself = candidates.products.diagonal(i) > 0 ? 1 : 0;
        unlike.push_back(itself - candidates.centre.likeness[i]);
    }
    return to_unit_range(std::move(unlike));
}

std::vector<double> to_unit_range(std::vector<double> numbers) {
    constexpr double kEqual = 1e-6;  // of the largest: less is noise
    if (numbers.empty()) return numbers;
    const auto [low, high] = std::ranges::minmax(numbers);
    const bool equal = high - low <= kEqual * std::max(std::abs(low), std::abs(high));
    for (double& number : numbers) number = equal ? 1 : (number - low) / (high - low);
    return numbers;
}

}  // namespace hired
