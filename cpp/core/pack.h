// The kept tokens in the order in which the language model sees them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/tiling.h"

namespace hired {

/// Whether the rows of the mosaic end with LLaVA-Next's learned newline row.
/// `automatic` keeps them only where every token that is not padding is kept, so that the full budget equals
/// Hugging Face's packing. Below it they go: a smaller budget promises exactly that many rows, HiRED's
/// published figures were measured without newline rows, and as kept tokens spread over nearly all rows of
/// the mosaic, newlines would cost up to a third of a small budget.
enum class Newlines { automatic, keep, drop };

/// The id of a newline row in a packed order.
inline constexpr int kNewlineId = -1;

/// From "auto", "keep" or "drop". Throws BudgetError for another name.
Newlines parse_newlines(std::string_view name);

/// Ids partition * N + token of the kept tokens (mask [P * N], padding skipped): the full image in raster
/// order, then the mosaic in raster order, with kNewlineId after each of its rows that kept a token. A tiling
/// that is not unpadded ("flat") packs one partition after another; it and a single partition have no newline
/// rows. Throws InputError where the mask's size is not P * N.
std::vector<int> pack_order(std::span<const std::uint8_t> mask, const Tiling& tiling, Newlines newlines);

}  // namespace hired
