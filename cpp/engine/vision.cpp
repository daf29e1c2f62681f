#include "engine/vision.h"

#include <algorithm>
#include <thread>

#include "core/error.h"
#include "engine/backend.h"
#include "engine/clip_llava.h"
#include "engine/clip_log.h"
#include "engine/clip_tensors.h"
#include "engine/vision_impl.h"
#include "engine/weights_device.h"
#include "kernels/kernels.h"

namespace hired {
namespace {

clip_flash_attn_type flash_attention_type(const std::string& name) {
    if (name == "auto") return CLIP_FLASH_ATTN_TYPE_AUTO;
    if (name == "on") return CLIP_FLASH_ATTN_TYPE_ENABLED;
    if (name == "off") return CLIP_FLASH_ATTN_TYPE_DISABLED;
    throw InputError(text("[vision] flash_attention '", name, "'; allowed: auto, on, off"));
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

}  // namespace hired
