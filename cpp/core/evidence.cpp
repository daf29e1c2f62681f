#include "core/evidence.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/select.h"
#include "core/selectors/cosines.h"

namespace hired {
namespace {

constexpr double kLongest = 1e37;  // a squared length, so that no sum of products of rows overflows

void check_rows(const Evidence& e, const Tiling& t) {
    if (e.width > 0 && e.rows.size() == static_cast<std::size_t>(t.total()) * e.width) return;
    throw InputError(text("[select] rows holds ", e.rows.size(), " numbers; [", t.partitions, ", ", t.tokens,
                          ", ", e.width, "] are needed"));
}

void check_question(const Evidence& e) {
    if (e.question.size() == static_cast<std::size_t>(e.words) * e.width) return;
    throw InputError(text("[select] question holds ", e.question.size(), " numbers; [", e.words, ", ",
                          e.width, "] are needed, as wide as the rows"));
}

[[noreturn]] void refuse(const Selector& selector, const char* what) {
    throw InputError(text("[select] selection '", selector.name, "' needs ", what));
}

// The head-summed attention of the last layer.
double last_attention(const Evidence& e, const Tiling& t, int id) {
    const std::size_t tokens = t.tokens, first = id / tokens * tokens * e.heads + id % tokens;
    double sum = 0;
    for (int head = 0; head < e.heads; ++head) sum += e.attn_last[first + head * tokens];
    return sum;
}

Rows rows_at(const Evidence& evidence, std::span<const int> ids) {
    Rows rows{.at = {}, .width = evidence.width};
    for (const int id : ids) {
        rows.at.push_back(evidence.rows.data() + static_cast<std::size_t>(id) * evidence.width);
    }
    return rows;
}

Rows words_of(const Evidence& evidence) {
    Rows words{.at = {}, .width = evidence.width};
    for (int i = 0; i < evidence.words; ++i) {
        words.at.push_back(evidence.question.data() + static_cast<std::size_t>(i) * evidence.width);
    }
    return words;
}

void check_length(const std::string& what, double squared) {
    if (squared >= 0 && squared <= kLongest) return;  // false for NaN
    throw NumericError(
        text("[select] ", what, " has the squared length ", squared, "; 0 to ", kLongest, " is allowed"));
}

void check_lengths(const Blocks& products, std::span<const int> ids, const Tiling& t) {
    for (int i = 0; i < products.size(); ++i) {
        const int partition = ids[i] / t.tokens, token = ids[i] % t.tokens;
        check_length(text("the row of partition ", partition, ", token ", token), products.diagonal(i));
    }
}

double squared_length(const float* row, int width) {
    double sum = 0;
    for (int k = 0; k < width; ++k) sum += static_cast<double>(row[k]) * row[k];
    return sum;
}

// [words, rows]. A word or row without length is like nothing.
Matrix word_cosines(const Rows& words, const Rows& rows, const Blocks& row_products) {
    Matrix found = products(words, rows);
    for (int i = 0; i < found.rows; ++i) {
        const double squared = squared_length(words.at[i], words.width);
        check_length(text("word ", i, " of the question"), squared);
        float* row = found.values.data() + static_cast<std::size_t>(i) * found.cols;
        for (int j = 0; j < found.cols; ++j) {
            const double lengths = std::sqrt(squared * row_products.diagonal(j));
            row[j] = lengths > 0 ? static_cast<float>(std::clamp(row[j] / lengths, -1.0, 1.0)) : 0.0F;
        }
    }
    return found;
}

}  // namespace

void check_evidence(const Evidence& evidence, const Tiling& tiling, const Selector& selector) {
    check_attention("attn_first", evidence.attn_first, evidence.heads, tiling);
    check_attention("attn_last", evidence.attn_last, evidence.heads, tiling);
    if (selector.rows) {
        if (evidence.width == 0) refuse(selector, "rows: the projected row of each token, [P, N, D]");
        check_rows(evidence, tiling);
    }
    if (selector.question) {
        if (evidence.words < 0) refuse(selector, "question: the embedding of each of its words, [words, D]");
        check_question(evidence);
    }
}

Candidates candidates_of(const Evidence& evidence, const Tiling& tiling, std::span<const int> ids,
                         const Selector& selector) {
    Candidates found;
    for (const int id : ids) found.attention.push_back(last_attention(evidence, tiling, id));
    if (!selector.rows) return found;
    const Rows rows = rows_at(evidence, ids);
    std::vector<int> partitions;
    for (const int id : ids) partitions.push_back(id / tiling.tokens);
    found.products = products(rows, partitions);
    check_lengths(found.products, ids, tiling);
    if (selector.centre) found.centre = centre_of(rows, found.products);
    if (selector.question) found.words = word_cosines(words_of(evidence), rows, found.products);
    return found;
}

}  // namespace hired
