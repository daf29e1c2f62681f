#include "core/selector.h"

#include <array>
#include <string>

#include "core/error.h"
#include "core/selectors/cen_div.h"
#include "core/selectors/cen_dpp.h"
#include "core/selectors/cls.h"
#include "core/selectors/mmtok.h"
#include "core/selectors/scope.h"
#include "core/selectors/visionzip.h"

namespace hired {

std::span<const Selector> selectors() {
    static constexpr std::array kSelectors{
        Selector{.name = "cls", .choose = select_cls},
        Selector{.name = "scope", .rows = true, .choose = select_scope},
        Selector{.name = "cen-div", .rows = true, .centre = true, .choose = select_cen_div},
        Selector{.name = "cen-dpp", .rows = true, .centre = true, .choose = select_cen_dpp},
        Selector{.name = "visionzip", .rows = true, .choose = select_visionzip},
        Selector{.name = "mmtok", .rows = true, .question = true, .choose = select_mmtok},
    };
    return kSelectors;
}

const Selector& find_selector(std::string_view name) {
    std::string names;
    for (const Selector& selector : selectors()) {
        if (selector.name == name) return selector;
        names += text(names.empty() ? "" : ", ", selector.name);
    }
    throw BudgetError(text("[select] selection '", name, "'; allowed: ", names));
}

}  // namespace hired
