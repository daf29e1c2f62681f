// Encoding: whole, or in two steps.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "engine/backend.h"
#include "engine/clip_rows.h"
#include "engine/vision.h"
#include "engine/vision_impl.h"

namespace hired {
namespace {

constexpr int kMaxBatch = 8;  // partitions in one graph; bounds the compute buffer on unusual grids

// clip takes interleaved pixels and separates the channels again.
clip_image_f32 interleave(std::span<const float> planes, int side) {
    const std::size_t n = static_cast<std::size_t>(side) * side;
    std::vector<float> pixels(3 * n);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t c = 0; c < 3; ++c) pixels[3 * i + c] = planes[c * n + i];
    }
    clip_image_f32 image;
    image.set_size({.width = side, .height = side}, true, false);
    image.cpy_buf(pixels);
    return image;
}

void append(std::vector<float>& to, const std::vector<float>& from) {
    to.insert(to.end(), from.begin(), from.end());
}

void require_finite(const std::vector<float>& numbers) {
    if (!std::ranges::all_of(numbers, [](float v) { return std::isfinite(v); })) {
        throw NumericError("[vision] the encoder gave NaN or infinity: the mmproj's weights are damaged");
    }
}

void require_steps(const VisionModel& model) {
    if (model.has_steps()) return;
    throw InputError(
        "[vision] the file's features come from several layers, so there are no steps; use encode");
}

void require_ids(std::span<const int> ids, int end) {
    if (ids.empty()) throw InputError("[vision] there are no ids; at least one is needed");
    int least = 0;
    for (const int id : ids) {
        if (id < least || id >= end) {
            throw InputError(text("[vision] id ", id, "; ids ascend from 0 to at most ", end - 1));
        }
        least = id + 1;
    }
}

// The tokens of each partition from `first` to before `end`.
std::vector<std::vector<int>> by_partition(std::span<const int> ids, int first, int end, int tokens) {
    std::vector<std::vector<int>> kept(end - first);
    for (const int id : ids) {
        const int p = id / tokens;
        if (p >= first && p < end) kept[p - first].push_back(id % tokens);
    }
    return kept;
}

}  // namespace

// Lets the CPU backend stop between operations; other backends run a graph to its end.
InterruptScope VisionModel::Impl::stops_by(const Interrupt& interrupt) const {
    ggml_backend_t cpu = cpu_backend_of(ctx.get());
    const auto set = reinterpret_cast<ggml_backend_set_abort_callback_t>(
        backend_function(cpu, "ggml_backend_set_abort_callback"));
    return {[set, cpu](AbortCallback callback, void* user) {
                if (set) set(cpu, callback, user);
            },
            interrupt};
}

void VisionModel::Impl::require(bool done, const Interrupt& interrupt) const {
    if (done) return;
    if (interrupt && interrupt()) throw Interrupted("[vision] encoding was interrupted");
    throw NativeError(text("[vision] encoding failed: ", log.last_error));
}

ClipRequest VisionModel::Impl::run(std::span<const float> pixels, int partitions, ClipRequest wishes,
                                   const Interrupt& interrupt) {
    const int side = hparams().image_size;
    const std::size_t image_size = 3UL * side * side;
    if (partitions < 1 || pixels.size() != partitions * image_size) {
        throw InputError(text("[vision] ", pixels.size(), " pixel values for ", partitions, " partitions of ",
                              image_size));
    }
    const int most = layers > 0 ? layers : executed_layers(hparams());
    for (const int il : wishes.attention_layers) {
        if (il < 0 || il >= most) {
            throw InputError(text("[vision] attention layer ", il, "; allowed: 0 to ", most - 1));
        }
    }
    wishes.layers = layers;
    wishes.kernels = kernels;
    ClipRequest all = wishes;
    all.attention.resize(wishes.attention_layers.size());
    const ClipLogScope scope(log);
    const InterruptScope interruptible = stops_by(interrupt);
    for (int first = 0; first < partitions; first += kMaxBatch) {
        clip_image_f32_batch batch;
        for (int p = first; p < std::min(partitions, first + kMaxBatch); ++p) {
            batch.entries.push_back(interleave(pixels.subspan(p * image_size, image_size), side));
        }
        ClipRequest request = wishes;
        clip_encode_params params;
        params.n_threads = n_threads;
        params.imgs = &batch;
        params.hired = &request;
        require(clip_encode(ctx.get(), &params), interrupt);
        for (std::size_t i = 0; i < all.attention.size(); ++i) {
            append(all.attention[i], request.attention[i]);
        }
        append(all.features, request.features);
        append(all.projected, request.projected);
        append(all.hidden, request.hidden);
    }
    return all;
}

Encoded VisionModel::encode(std::span<const float> pixels, int partitions,
                            const std::vector<int>& attention_layers, bool want_features,
                            const Interrupt& interrupt) {
    ClipRequest wishes;
    wishes.attention_layers = attention_layers;
    wishes.want_features = want_features;
    ClipRequest all = impl_->run(pixels, partitions, std::move(wishes), interrupt);
    require_finite(all.projected);
    return {.attention = std::move(all.attention),
            .features = std::move(all.features),
            .projected = std::move(all.projected)};
}

bool VisionModel::has_steps() const {
    return impl_->hparams().feature_layers.size() < 2;
}

Begun VisionModel::begin(std::span<const float> pixels, int partitions,
                         const std::vector<int>& attention_layers, const Interrupt& interrupt) {
    require_steps(*this);
    ClipRequest wishes;
    wishes.attention_layers = attention_layers;
    wishes.want_rows = false;
    ClipRequest all = impl_->run(pixels, partitions, std::move(wishes), interrupt);
    require_finite(all.hidden);
    for (const auto& layer : all.attention) require_finite(layer);
    return {.attention = std::move(all.attention), .hidden = std::move(all.hidden)};
}

std::vector<float> VisionModel::finish(std::span<const float> hidden, int partitions,
                                       std::span<const int> ids, const Interrupt& interrupt) {
    require_steps(*this);
    const std::size_t block = (tokens() + 1UL) * width();
    if (partitions < 1 || hidden.size() != partitions * block) {
        throw InputError(
            text("[vision] ", hidden.size(), " hidden values for ", partitions, " partitions of ", block));
    }
    require_ids(ids, partitions * tokens());
    const ClipLogScope scope(impl_->log);
    const InterruptScope interruptible = impl_->stops_by(interrupt);
    std::vector<float> rows;
    for (int first = 0; first < partitions; first += kMaxBatch) {
        const int end = std::min(partitions, first + kMaxBatch);
        RowsRequest request{.hidden = hidden.subspan(first * block, (end - first) * block),
                            .kept = by_partition(ids, first, end, tokens()),
                            .layers = impl_->layers,
                            .kernels = impl_->kernels,
                            .n_threads = impl_->n_threads,
                            .rows = {}};
        if (std::ranges::all_of(request.kept, [](const auto& kept) { return kept.empty(); })) continue;
        impl_->require(compute_rows(impl_->ctx.get(), request), interrupt);
        append(rows, request.rows);
    }
    require_finite(rows);
    return rows;
}

}  // namespace hired
