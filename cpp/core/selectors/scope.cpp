#include "core/selectors/scope.h"

#include "core/selectors/cosines.h"
#include "core/selectors/coverage.h"

namespace hired {

Chosen select_scope(const Candidates& candidates, int k) {
    return pick_covering(cosines(candidates.products), {}, candidates.attention, k);
}

}  // namespace hired
