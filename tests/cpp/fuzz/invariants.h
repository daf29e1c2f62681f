// What must hold of whatever the core returns, whatever it was given. A broken one ends the process, as
// libFuzzer wants it: assert would vanish from optimised builds.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/pack.h"
#include "core/policy.h"
#include "core/tiling.h"

/// Prints what is broken, with its place, and aborts.
void broken(const char* what, const char* file, int line);

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): the place is the caller's
#define MUST(condition) ((condition) ? void() : broken(#condition, __FILE__, __LINE__))

/// Canvas, fitted size, offset and mosaic fit each other; the capacities count what is not padding.
void check_tiling(const hired::Tiling& tiling);

/// The counts are the mask's, the budget is exact, padding stays out, tokens are merged into kept ones; and
/// cls leaves no better patch of a partition behind.
void check_selection(const hired::Selection& kept, std::span<const float> attn_last, int heads,
                     const hired::Tiling& tiling, const hired::PolicyOptions& options);

/// Each kept token that is not padding stands there once, in order, with newline rows only where they belong.
void check_order(std::span<const int> order, std::span<const std::uint8_t> mask, const hired::Tiling& tiling,
                 hired::Newlines newlines);

/// The sum is exact and no entry exceeds its capacity.
void check_shares(std::span<const int> shares, int total, std::span<const int> capacities);
