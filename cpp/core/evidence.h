// What is known of a picture's tokens: checked, and handed to a selector as far as it needs it.
#pragma once

#include <span>

#include "core/selector.h"
#include "core/tiling.h"

namespace hired {

/// Rows and question may be left out where the selection needs none.
struct Evidence {
    std::span<const float> attn_first;  // CLS attention of the first executed layer, [P, heads, N], without
    std::span<const float> attn_last;   // CLS's own column; and of the last
    int heads = 0;
    // NOLINTBEGIN(readability-redundant-member-init): GCC warns of designated initialisers without it
    std::span<const float> rows{};      // [P, N, width], what the language model would see
    int width = 0;                      // 0: there are no rows
    std::span<const float> question{};  // [words, width], the embeddings of its words
    int words = -1;                     // -1: there is no question
    // NOLINTEND(readability-redundant-member-init)
};

/// Throws InputError: sizes, negative attention, rows or a question that the selector needs and that are not
/// there. Throws NumericError: NaN or infinity in the attention.
void check_evidence(const Evidence& evidence, const Tiling& tiling, const Selector& selector);

/// What the selector needs of the tokens with these ids (partition * N + token).
/// Throws NumericError for a row or word whose squared length is not in [0, 1e37]: NaN, infinity, too long.
Candidates candidates_of(const Evidence& evidence, const Tiling& tiling, std::span<const int> ids,
                         const Selector& selector);

}  // namespace hired
