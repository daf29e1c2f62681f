#include "engine/clip_llava.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "engine/cpu_ops.h"

namespace hired {
namespace {

constexpr const char* kFeatures = "hired-features";
constexpr const char* kProjected = "hired-projected";

std::string attention_name(int il) {
    return "hired-attention-" + std::to_string(il);
}

std::vector<float> read(ggml_cgraph* graph, const std::string& name) {
    const ggml_tensor* t = ggml_graph_get_tensor(graph, name.c_str());
    if (!t) throw NativeError(text("[vision] the graph has no tensor '", name, "'"));
    std::vector<float> out(ggml_nelements(t));
    ggml_backend_tensor_get(t, out.data(), 0, ggml_nbytes(t));
    return out;
}

}  // namespace

int executed_layers(const clip_hparams& hparams) {
    const auto& named = hparams.feature_layers;
    return named.empty() ? hparams.n_layer : *std::ranges::max_element(named);
}

int LlavaGraph::layers() const {
    return request_ && request_->layers > 0 ? request_->layers : executed_layers(hparams);
}

ggml_cgraph* LlavaGraph::build() {
    ggml_tensor* x = embed();
    for (int il = 0; il < layers(); ++il) {
        x = block(x, il);
    }
    x = output(drop_cls(x), kFeatures);
    x = output(project(x), kProjected);  // clip_encode takes the last node for its own output
    return gf;
}

ggml_tensor* LlavaGraph::build_mm(ggml_tensor* w, ggml_tensor* x) const {
    return kernels_ && kernel_takes(w) ? kernel_mul_mat(ctx0, *kernels_, w, x) : clip_graph::build_mm(w, x);
}

// One row of patch embedding a patch, [width, tokens, partitions]. Not ggml_conv_2d: it rounds the pixels to
// float16.
ggml_tensor* LlavaGraph::patches() {
    ggml_tensor* kernel = model.patch_embeddings_0;
    ggml_tensor* x =
        ggml_im2col(ctx0, kernel, build_inp_raw(), patch_size, patch_size, 0, 0, 1, 1, true, GGML_TYPE_F32);
    x = ggml_reshape_2d(ctx0, x, x->ne[0], n_patches * n_batch);
    x = build_mm(ggml_reshape_2d(ctx0, kernel, x->ne[0], n_embd), x);
    return ggml_reshape_3d(ctx0, x, n_embd, n_patches, n_batch);
}

// Rows per partition: CLS, then the patches in raster order. Returns [width, (tokens + 1) * partitions].
ggml_tensor* LlavaGraph::embed() {
    const int n_pos = n_patches + 1;
    ggml_tensor* cls = ggml_repeat_4d(ctx0, model.class_embedding, n_embd, 1, n_batch, 1);
    ggml_tensor* position = model.position_embeddings;
    if (position->type != GGML_TYPE_F32) {
        position = ggml_cast(ctx0, position, GGML_TYPE_F32);
    }
    ggml_tensor* x = ggml_add(ctx0, ggml_concat(ctx0, cls, patches(), 1), position);
    x = ggml_reshape_2d(ctx0, x, n_embd, n_pos * n_batch);
    return build_norm(x, model.pre_ln_w, model.pre_ln_b, NORM_TYPE_NORMAL, eps, -1);
}

ggml_tensor* LlavaGraph::block(ggml_tensor* inp, int il) {
    const clip_layer& layer = model.layers[il];
    ggml_tensor* x = build_norm(inp, layer.ln_1_w, layer.ln_1_b, NORM_TYPE_NORMAL, eps, il);
    ggml_tensor* q = heads(layer.q_w, layer.q_b, x);
    ggml_tensor* k = heads(layer.k_w, layer.k_b, x);
    ggml_tensor* v = heads(layer.v_w, layer.v_b, x);
    expose_cls_attention(q, k, il);
    x = attend(q, k, v, il);
    inp = ggml_add(ctx0, ggml_add(ctx0, build_mm(layer.o_w, x), layer.o_b), inp);

    x = build_norm(inp, layer.ln_2_w, layer.ln_2_b, NORM_TYPE_NORMAL, eps, il);
    x = activate(ggml_add(ctx0, build_mm(layer.ff_up_w, x), layer.ff_up_b));
    x = ggml_add(ctx0, build_mm(layer.ff_down_w, x), layer.ff_down_b);
    return ggml_add(ctx0, x, inp);
}

// CLIP's quick GELU x * sigmoid(1.702 x), from SiLU: ggml's own reads a float16 table on the CPU, and its
// error of 1e-3 shows in the attention.
ggml_tensor* LlavaGraph::activate(ggml_tensor* x) {
    if (hparams.ffn_op != FFN_GELU_QUICK) return ggml_gelu_erf(ctx0, x);
    x = ggml_silu_inplace(ctx0, ggml_scale_inplace(ctx0, x, 1.702F));
    return ggml_scale_inplace(ctx0, x, 1.0F / 1.702F);
}

// [width, rows] -> [head width, heads, tokens + 1, partitions]
ggml_tensor* LlavaGraph::heads(ggml_tensor* w, ggml_tensor* b, ggml_tensor* x) {
    return ggml_reshape_4d(ctx0, ggml_add(ctx0, build_mm(w, x), b), d_head, n_head, n_patches + 1, n_batch);
}

// The CPU's flash attention takes float32 keys and values; upstream's helper rounds them to float16 for every
// backend, an error of 2e-3 in the next layer's attention.
ggml_tensor* LlavaGraph::attend(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, int il) {
    if (!exact_ || flash_attn_type != CLIP_FLASH_ATTN_TYPE_ENABLED) {
        return build_attn(nullptr, nullptr, q, k, v, nullptr, kq_scale, il);
    }
    if (kernels_) {
        ggml_tensor* x = kernel_attention(ctx0, *kernels_, q, k, v);
        return ggml_reshape_2d(ctx0, x, n_embd, x->ne[2] * x->ne[3]);
    }
    const auto by_head = [this](ggml_tensor* t) { return ggml_permute(ctx0, t, 0, 2, 1, 3); };
    ggml_tensor* x =
        ggml_flash_attn_ext(ctx0, by_head(q), by_head(k), by_head(v), nullptr, kq_scale, 0.0F, 0.0F);
    ggml_prec_set_acc(x, GGML_PREC_F32);
    return ggml_reshape_2d(ctx0, x, n_embd, x->ne[2] * x->ne[3]);
}

void LlavaGraph::expose_cls_attention(ggml_tensor* q, ggml_tensor* k, int il) {
    if (!request_ || std::ranges::find(request_->attention_layers, il) == request_->attention_layers.end()) {
        return;
    }
    ggml_tensor* cls = ggml_view_4d(ctx0, q, d_head, n_head, 1, n_batch, q->nb[1], q->nb[2], q->nb[3], 0);
    cls = ggml_cont(ctx0, ggml_permute(ctx0, cls, 0, 2, 1, 3));
    ggml_tensor* row = ggml_mul_mat(ctx0, ggml_permute(ctx0, k, 0, 2, 1, 3), cls);
    ggml_prec_set_acc(row, GGML_PREC_F32);
    output(ggml_soft_max_ext(ctx0, row, nullptr, kq_scale, 0.0F), attention_name(il).c_str());
}

// [width, (tokens + 1) * partitions] -> [width, tokens, partitions]
ggml_tensor* LlavaGraph::drop_cls(ggml_tensor* x) {
    const size_t row = x->nb[1];
    return ggml_cont(ctx0,
                     ggml_view_3d(ctx0, x, n_embd, n_patches, n_batch, row, row * (n_patches + 1), row));
}

// [width, tokens, partitions] -> [text width, tokens, partitions], with the exact GELU that LLaVA was trained
// on
ggml_tensor* LlavaGraph::project(ggml_tensor* x) {
    x = ggml_reshape_2d(ctx0, x, n_embd, n_patches * n_batch);
    x = ggml_gelu_erf(ctx0, ggml_add(ctx0, build_mm(model.mm_0_w, x), model.mm_0_b));
    x = ggml_add(ctx0, build_mm(model.mm_2_w, x), model.mm_2_b);
    return ggml_reshape_3d(ctx0, x, x->ne[0], n_patches, n_batch);
}

ggml_tensor* LlavaGraph::output(ggml_tensor* x, const char* name) {
    ggml_set_name(x, name);
    ggml_set_output(x);
    ggml_build_forward_expand(gf, x);
    return x;
}

void read_outputs(ggml_cgraph* graph, ClipRequest& request) {
    for (int il : request.attention_layers) {
        request.attention.push_back(read(graph, attention_name(il)));
    }
    if (request.want_features) {
        request.features = read(graph, kFeatures);
    }
    request.projected = read(graph, kProjected);
}

}  // namespace hired
