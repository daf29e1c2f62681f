#include "engine/vision.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "core/error.h"
#include "engine/backend.h"
#include "engine/clip_llava.h"
#include "engine/clip_log.h"
#include "engine/clip_tensors.h"
#include "engine/handles.h"
#include "engine/weights_device.h"
#include "kernels/kernels.h"

namespace hired {
namespace {

constexpr int kMaxBatch = 8;  // partitions in one graph; bounds the compute buffer on unusual grids

// Lets the CPU backend stop between operations; other backends run a graph to its end.
InterruptScope::Setter abort_callback_of(ggml_backend_t cpu) {
    const auto set = reinterpret_cast<ggml_backend_set_abort_callback_t>(
        backend_function(cpu, "ggml_backend_set_abort_callback"));
    return [set, cpu](AbortCallback callback, void* user) {
        if (set) set(cpu, callback, user);
    };
}

clip_flash_attn_type flash_attention_type(const std::string& name) {
    if (name == "auto") return CLIP_FLASH_ATTN_TYPE_AUTO;
    if (name == "on") return CLIP_FLASH_ATTN_TYPE_ENABLED;
    if (name == "off") return CLIP_FLASH_ATTN_TYPE_DISABLED;
    throw InputError(text("[vision] flash_attention '", name, "'; allowed: auto, on, off"));
}

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

void require_finite(const std::vector<float>& rows) {
    if (!std::ranges::all_of(rows, [](float v) { return std::isfinite(v); })) {
        throw NumericError("[vision] the encoder gave NaN or infinity: the mmproj's weights are damaged");
    }
}

int hardware_threads() {
    return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

// nullptr for no name.
const Kernels* find(const std::string& name) {
    const Kernels* found = find_kernels(name);
    if (!found && !name.empty()) throw InputError(text("[vision] no kernels '", name, "' run here"));
    return found;
}

ClipPtr load(const std::string& path, const VisionOptions& options, ClipLog& log) {
    clip_context_params params{};
    params.device = find_device(options.device);
    params.use_gpu = params.device != nullptr;
    params.flash_attn_type = flash_attention_type(options.flash_attention);
    const ClipLogScope scope(log);
    const clip_init_result made = clip_init(path.c_str(), params);
    const ClipPtr audio(made.ctx_a), speech(made.ctx_gen_a);  // of a file that is no LLaVA's
    ClipPtr vision(made.ctx_v);
    if (!vision) throw NativeError(text("[vision] ", path, " was not loaded: ", log.last_error));
    return vision;
}

// Quantised matrices go to the kernels by ggml's own product; those of floats by operations of the graph
// (cpu_ops.h).
void adopt_weights(const clip_ctx* ctx, const Kernels* kernels) {
    if (!kernels || backend_of(ctx) != cpu_backend_of(ctx) || !can_offer_kernels()) return;
    adopt(*clip_model_of(ctx).layers.front().q_w->buffer, *kernels);
}

}  // namespace

struct VisionModel::Impl {
    ClipLog log;
    ClipPtr ctx;
    int n_threads;
    int layers;
    const Kernels* kernels;

    const clip_model& model() const { return clip_model_of(ctx.get()); }
    const clip_hparams& hparams() const { return model().hparams; }
};

VisionModel::VisionModel(const std::string& path, const VisionOptions& options)
    : impl_(std::make_unique<Impl>(
          Impl{.log = {.verbose = options.verbose, .last_error = {}},
               .ctx = nullptr,
               .n_threads = options.n_threads > 0 ? options.n_threads : hardware_threads(),
               .layers = options.layers,
               .kernels = find(options.kernels)})) {
    impl_->ctx = load(path, options, impl_->log);
    require_tensors(impl_->model());
    adopt_weights(impl_->ctx.get(), impl_->kernels);
    const int most = executed_layers(impl_->hparams());
    if (options.layers < 0 || options.layers > most) {
        throw InputError(text("[vision] layers is ", options.layers, "; allowed: 0 to ", most));
    }
}

VisionModel::~VisionModel() = default;

int VisionModel::tile() const {
    return impl_->hparams().image_size;
}
int VisionModel::tokens() const {
    const int side = tile() / impl_->hparams().patch_size;
    return side * side;
}
int VisionModel::width() const {
    return impl_->hparams().n_embd;
}
int VisionModel::text_width() const {
    return clip_n_mmproj_embd(impl_->ctx.get());
}
int VisionModel::heads() const {
    return impl_->hparams().n_head;
}
int VisionModel::layers() const {
    return impl_->layers > 0 ? impl_->layers : executed_layers(impl_->hparams());
}
std::string VisionModel::device() const {
    return ggml_backend_name(backend_of(impl_->ctx.get()));
}

std::vector<float> VisionModel::image_newline() const {
    const ggml_tensor* t = impl_->model().image_newline;
    if (!t) return {};
    std::vector<float> row(ggml_nelements(t));
    if (t->type == GGML_TYPE_F32) {
        ggml_backend_tensor_get(t, row.data(), 0, ggml_nbytes(t));
        return row;
    }
    const auto to_float = ggml_get_type_traits(t->type)->to_float;
    if (!to_float) {
        throw NativeError(text("[vision] tensor '", t->name, "' has type ", ggml_type_name(t->type)));
    }
    std::vector<char> stored(ggml_nbytes(t));
    ggml_backend_tensor_get(t, stored.data(), 0, stored.size());
    to_float(stored.data(), row.data(), std::ssize(row));
    return row;
}

Encoded VisionModel::encode(std::span<const float> pixels, int partitions,
                            const std::vector<int>& attention_layers, bool want_features,
                            const Interrupt& interrupt) {
    const std::size_t image_size = 3UL * tile() * tile();
    if (partitions < 1 || pixels.size() != partitions * image_size) {
        throw InputError(text("[vision] ", pixels.size(), " pixel values for ", partitions, " partitions of ",
                              image_size));
    }
    for (int il : attention_layers) {
        if (il < 0 || il >= layers()) {
            throw InputError(text("[vision] attention layer ", il, "; allowed: 0 to ", layers() - 1));
        }
    }
    const ClipLogScope scope(impl_->log);
    const InterruptScope interruptible(abort_callback_of(cpu_backend_of(impl_->ctx.get())), interrupt);
    Encoded all;
    all.attention.resize(attention_layers.size());
    for (int first = 0; first < partitions; first += kMaxBatch) {
        clip_image_f32_batch batch;
        for (int p = first; p < std::min(partitions, first + kMaxBatch); ++p) {
            batch.entries.push_back(interleave(pixels.subspan(p * image_size, image_size), tile()));
        }
        ClipRequest request{.attention_layers = attention_layers,
                            .want_features = want_features,
                            .layers = impl_->layers,
                            .kernels = impl_->kernels,
                            .attention = {},
                            .features = {},
                            .projected = {}};
        clip_encode_params params;
        params.n_threads = impl_->n_threads;
        params.imgs = &batch;
        params.hired = &request;
        if (!clip_encode(impl_->ctx.get(), &params)) {
            if (interrupt && interrupt()) throw Interrupted("[vision] encoding was interrupted");
            throw NativeError(text("[vision] encoding failed: ", impl_->log.last_error));
        }
        for (std::size_t i = 0; i < attention_layers.size(); ++i) {
            append(all.attention[i], request.attention[i]);
        }
        append(all.features, request.features);
        append(all.projected, request.projected);
    }
    require_finite(all.projected);
    return all;
}

}  // namespace hired
