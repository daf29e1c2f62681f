// cpp/core for Python: tiling, budget, selection and packing on plain arrays.
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.h"
#include "core/budget.h"
#include "core/error.h"
#include "core/pack.h"
#include "core/policy.h"
#include "core/selector.h"
#include "core/tiling.h"
#include "register.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace hired {
namespace {

using Pair = std::pair<int, int>;
using Attention = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Projected = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using MaskIn = nb::ndarray<const bool, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using MaskOut = nb::ndarray<nb::numpy, bool, nb::ndim<2>>;
using Indices = nb::ndarray<nb::numpy, int, nb::ndim<1>>;
using Worth = nb::ndarray<nb::numpy, double, nb::ndim<2>>;
using Targets = nb::ndarray<nb::numpy, int, nb::ndim<2>>;

std::span<const float> flat(const char* name, const Attention& a, const Tiling& t) {
    if (std::cmp_not_equal(a.shape(0), t.partitions) || std::cmp_not_equal(a.shape(2), t.tokens)) {
        throw InputError(text("[select] ", name, " is [", a.shape(0), ", ", a.shape(1), ", ", a.shape(2),
                              "]; [", t.partitions, ", heads, ", t.tokens, "] is needed"));
    }
    return {a.data(), a.size()};
}

Tiling make_tiling_of(Pair image, const std::vector<Pair>& pinpoints, int tile, int patch, bool unpad) {
    std::vector<Size> canvases;
    for (const auto& [height, width] : pinpoints) {
        canvases.push_back({.height = height, .width = width});
    }
    return make_tiling({.height = image.first, .width = image.second}, canvases, tile, patch, unpad);
}

Evidence evidence_of(const Attention& first, const Attention& last, const Tiling& tiling,
                     const std::optional<Projected>& rows, const std::optional<Words>& question) {
    if (first.shape(1) != last.shape(1)) {
        throw InputError(
            text("[select] attn_first has ", first.shape(1), " heads, attn_last ", last.shape(1)));
    }
    Evidence evidence{.attn_first = flat("attn_first", first, tiling),
                      .attn_last = flat("attn_last", last, tiling),
                      .heads = static_cast<int>(first.shape(1))};
    if (rows) {
        if (std::cmp_not_equal(rows->shape(0), tiling.partitions) ||
            std::cmp_not_equal(rows->shape(1), tiling.tokens)) {
            throw InputError(text("[select] rows is [", rows->shape(0), ", ", rows->shape(1), ", ",
                                  rows->shape(2), "]; [", tiling.partitions, ", ", tiling.tokens,
                                  ", D] is needed"));
        }
        evidence.rows = {rows->data(), rows->size()};
        evidence.width = static_cast<int>(rows->shape(2));
    }
    if (question) {
        if (std::cmp_not_equal(question->shape(1), evidence.width) && rows) {
            throw InputError(text("[select] question is [", question->shape(0), ", ", question->shape(1),
                                  "]; [words, ", evidence.width, "] is needed"));
        }
        evidence.question = {question->data(), question->size()};
        evidence.words = static_cast<int>(question->shape(0));
    }
    return evidence;
}

std::tuple<MaskOut, Indices, Worth, std::optional<Targets>> select(
    const Attention& first, const Attention& last, const Tiling& tiling, int tokens, double alpha,
    std::string_view allocation, std::string_view selection, const std::optional<Projected>& rows,
    const std::optional<Words>& question) {
    const PolicyOptions options{
        .tokens = tokens, .alpha = alpha, .allocation = parse_allocation(allocation), .selection = selection};
    const Evidence evidence = evidence_of(first, last, tiling, rows, question);
    Selection kept = [&] {
        const nb::gil_scoped_release release;
        return select_tokens(evidence, tiling, options);
    }();
    const std::size_t partitions = tiling.partitions, row = tiling.tokens;
    std::optional<Targets> merged;
    if (!kept.merged.empty()) merged = to_array<Targets>(std::move(kept.merged), {partitions, row});
    return {to_array<MaskOut>(std::move(kept.mask), {partitions, row}),
            to_array<Indices>(std::move(kept.counts), {partitions}),
            to_array<Worth>(std::move(kept.worth), {partitions, row}), std::move(merged)};
}

std::map<std::string, std::vector<std::string>> selector_needs() {
    std::map<std::string, std::vector<std::string>> needs;
    for (const Selector& selector : selectors()) {
        auto& names = needs[std::string(selector.name)];
        names = {"attention"};
        if (selector.rows) names.emplace_back("rows");
        if (selector.question) names.emplace_back("question");
    }
    return needs;
}

Indices pack(const MaskIn& mask, const Tiling& tiling, std::string_view newlines) {
    if (std::cmp_not_equal(mask.shape(0), tiling.partitions) ||
        std::cmp_not_equal(mask.shape(1), tiling.tokens)) {
        throw InputError(text("[pack] mask is [", mask.shape(0), ", ", mask.shape(1), "]; [",
                              tiling.partitions, ", ", tiling.tokens, "] is needed"));
    }
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(mask.data()), mask.size());
    std::vector<int> order = pack_order(bytes, tiling, parse_newlines(newlines));
    const std::size_t rows = order.size();
    return to_array<Indices>(std::move(order), {rows});
}

}  // namespace

void register_core(nb::module_& m) {
    nb::class_<Tiling>(
        m, "Tiling",
        "How one picture becomes partitions: 0 is the full image, then the canvas's tiles in raster\n"
        "order. Pairs are (height, width) or (rows, cols).")
        .def_prop_ro("image_size_hw", [](const Tiling& t) { return Pair{t.image.height, t.image.width}; })
        .def_prop_ro(
            "grid", [](const Tiling& t) { return Pair{t.grid.rows, t.grid.cols}; },
            "Tiles; (0, 0) for a single partition.")
        .def_prop_ro("canvas_hw", [](const Tiling& t) { return Pair{t.canvas.height, t.canvas.width}; })
        .def_prop_ro(
            "fitted_hw", [](const Tiling& t) { return Pair{t.fitted.height, t.fitted.width}; },
            "Pixels of the resized picture on the canvas.")
        .def_prop_ro(
            "offset_yx", [](const Tiling& t) { return Pair{t.offset.top, t.offset.left}; },
            "Pixels of padding above and left of it.")
        .def_ro("tile", &Tiling::tile, "Pixels along a tile's edge.")
        .def_ro("patch", &Tiling::patch, "Pixels along a patch's edge.")
        .def_ro("side", &Tiling::side, "Tokens along a tile's edge.")
        .def_ro("partitions", &Tiling::partitions, "P.")
        .def_ro("tokens", &Tiling::tokens, "N, of one partition.")
        .def_ro("unpad", &Tiling::unpad, "False for the flat patch merge.")
        .def_prop_ro("capacities", &capacities, "Tokens of each partition that are not padding, [P].")
        .def("transposed", &transposed,
             "The layout that the released HiRED code packs with: the grid's rows and columns swapped.\n"
             "For pack_order only.");

    m.def("make_tiling", &make_tiling_of, "image_size_hw"_a, "pinpoints"_a, "tile"_a, "patch"_a,
          "unpad"_a = true,
          "Hugging Face's tiling of a picture. Sizes in pixels, (height, width); no pinpoints means\n"
          "LLaVA-1.5's single partition. Raises InputError.");
    m.def("budget_tokens", nb::overload_cast<long long, int, int>(&budget_tokens), "budget"_a, "partitions"_a,
          "tokens"_a, "The count itself. Raises BudgetError unless it is 1 to partitions * tokens.");
    m.def("budget_tokens", nb::overload_cast<double, int, int>(&budget_tokens), "budget"_a.noconvert(),
          "partitions"_a, "tokens"_a,
          "floor(budget * partitions * tokens).\n"
          "Raises BudgetError unless budget is in (0, 1] and gives a token.");
    m.def(
        "select", &select, "attn_first"_a, "attn_last"_a, "tiling"_a, "tokens"_a, "alpha"_a, "allocation"_a,
        "selection"_a = "cls", "rows"_a = nb::none(), "question"_a = nb::none(),
        "CLS attention [P, heads, N] of the first and the last executed layer -> (mask [P, N], counts [P],\n"
        "merged [P, N]: the id of the kept token that a token is merged into or -1, None where nothing is).\n"
        "tokens is the budget; allocation and selection are names. rows [P, N, D] and question [words, D]\n"
        "are for selections that need them. Raises BudgetError, InputError and NumericError.");
    m.def("selector_needs", &selector_needs, "What each selection needs: attention, rows, question.");
    m.def("pack_order", &pack, "mask"_a, "tiling"_a, "newlines"_a,
          "Ids partition * N + token of mask [P, N] in the language model's order, -1 for a newline row.\n"
          "newlines is 'auto', 'keep' or 'drop'. Raises BudgetError and InputError.");
}

}  // namespace hired
