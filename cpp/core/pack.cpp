#include "core/pack.h"

#include "core/error.h"

namespace hired {
namespace {

bool keeps_everything(std::span<const std::uint8_t> mask, const Tiling& tiling) {
    for (int id = 0; id < tiling.total(); ++id) {
        if (!mask[id] && !tiling.is_padding(id / tiling.tokens, id % tiling.tokens)) return false;
    }
    return true;
}

// The id of the token at a row and column of the mosaic.
int mosaic_id(const Tiling& t, int row, int col) {
    const int partition = 1 + row / t.side * t.grid.cols + col / t.side;
    return partition * t.tokens + row % t.side * t.side + col % t.side;
}

void append_kept(std::vector<int>& order, std::span<const std::uint8_t> mask, int begin, int end) {
    for (int id = begin; id < end; ++id) {
        if (mask[id]) order.push_back(id);
    }
}

}  // namespace

Newlines parse_newlines(std::string_view name) {
    if (name == "auto") return Newlines::automatic;
    if (name == "keep") return Newlines::keep;
    if (name == "drop") return Newlines::drop;
    throw BudgetError(text("[pack] newlines '", name, "'; allowed: auto, keep, drop"));
}

std::vector<int> pack_order(std::span<const std::uint8_t> mask, const Tiling& tiling, Newlines newlines) {
    if (std::ssize(mask) != tiling.total()) {
        throw InputError(text("[pack] mask holds ", mask.size(), " numbers; ", tiling.partitions, " x ",
                              tiling.tokens, " are needed"));
    }
    const bool with_newlines =
        newlines == Newlines::keep || (newlines == Newlines::automatic && keeps_everything(mask, tiling));
    std::vector<int> order;
    append_kept(order, mask, 0, tiling.unpad ? tiling.tokens : tiling.total());
    if (!tiling.unpad) return order;
    for (int row = tiling.row_begin; row < tiling.row_end; ++row) {
        const std::size_t before = order.size();
        for (int col = tiling.col_begin; col < tiling.col_end; ++col) {
            if (const int id = mosaic_id(tiling, row, col); mask[id]) order.push_back(id);
        }
        if (with_newlines && order.size() > before) order.push_back(kNewlineId);
    }
    return order;
}

}  // namespace hired
