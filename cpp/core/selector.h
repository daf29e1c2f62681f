// Which tokens stay, by name: the one table of selectors in C++. hired_gguf/selection/policies.py says what
// the names mean.
#pragma once

#include <span>
#include <string_view>

#include "core/selectors/candidates.h"

namespace hired {

/// `choose` returns exactly k of the candidates, 0 <= k <= n. CLS attention is always there.
struct Selector {
    std::string_view name;
    bool rows = false;      // whether it needs the products of the candidates' rows
    bool centre = false;    // whether it needs to know where all rows lie; then it needs rows too
    bool question = false;  // whether it needs the question's words; then it needs rows too
    Chosen (*choose)(const Candidates& candidates, int k) = nullptr;
};

std::span<const Selector> selectors();

/// Throws BudgetError for an unknown name.
const Selector& find_selector(std::string_view name);

}  // namespace hired
