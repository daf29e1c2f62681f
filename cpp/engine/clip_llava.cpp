#include "engine/clip_llava.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "engine/cpu_ops.h"

namespace hired {
namespace {

constexpr const char* kFeatures = "hired-features";
constexpr const char* kProjected = "hired-projected";
constexpr const char* kHidden = "hired-hidden";

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

ggml_cgraph* LlavaGraph::build() {
    const int last = layers_ - 1;
    ggml_tensor* x = embed();
    for (int il = 0; il < last; ++il) {
        x = block(x, il);
    }
    if (request_ && !request_->want_rows) {
        output(x, kHidden);
        if (asked(last)) attention_of_cls(norm(x, last), last);
        return gf;
    }
    x = output(drop_cls(block(x, last)), kFeatures);
    output(project(x), kProjected);  // clip_encode takes the last node for its own output
    return gf;
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
    ggml_tensor* x = norm(inp, il);
    ggml_tensor* q = by_head(linear(layer.q_w, layer.q_b, x), n_patches + 1);
    ggml_tensor* k = by_head(linear(layer.k_w, layer.k_b, x), n_patches + 1);
    ggml_tensor* v = by_head(linear(layer.v_w, layer.v_b, x), n_patches + 1);
    if (asked(il)) expose_cls_attention(q, k, il);
    return after_attention(attend(q, k, v, il), inp, il);
}

// A block's CLS attention without the rest of the block; `x` is what its attention reads. CLS's query comes
// with the first patch's: ggml multiplies a lone row in another order than several, and no number may depend
// on how many partitions a batch has.
void LlavaGraph::attention_of_cls(ggml_tensor* x, int il) {
    const clip_layer& layer = model.layers[il];
    const size_t row = x->nb[1];
    ggml_tensor* two = ggml_view_3d(ctx0, x, n_embd, 2, n_batch, row, row * (n_patches + 1), 0);
    two = ggml_cont_2d(ctx0, two, n_embd, 2 * n_batch);
    ggml_tensor* q = by_head(linear(layer.q_w, layer.q_b, two), 2);
    expose_cls_attention(q, by_head(linear(layer.k_w, layer.k_b, x), n_patches + 1), il);
}

// The CPU's flash attention takes float32 keys and values; upstream's helper rounds them to float16 for every
// backend, an error of 2e-3 in the next layer's attention.
ggml_tensor* LlavaGraph::attend(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, int il) {
    if (il == layers_ - 1) {
        q = ggml_reshape_3d(ctx0, q, d_head, n_head, q->ne[2] * n_batch);
        return attend_plainly(q, k, v, std::vector<int64_t>(n_batch, n_patches + 1));
    }
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

bool LlavaGraph::asked(int il) const {
    return request_ && std::ranges::find(request_->attention_layers, il) != request_->attention_layers.end();
}

// CLS's is the first row of a partition's queries.
void LlavaGraph::expose_cls_attention(ggml_tensor* q, ggml_tensor* k, int il) {
    ggml_tensor* cls = ggml_view_4d(ctx0, q, d_head, n_head, 1, n_batch, q->nb[1], q->nb[2], q->nb[3], 0);
    cls = ggml_cont(ctx0, ggml_permute(ctx0, cls, 0, 2, 1, 3));
    ggml_tensor* row = ggml_mul_mat(ctx0, ggml_permute(ctx0, k, 0, 2, 1, 3), cls);
    ggml_prec_set_acc(row, GGML_PREC_F32);
    output(ggml_soft_max_ext(ctx0, row, nullptr, kq_scale, 0.0F), attention_name(il).c_str());
}

// [width, (tokens + 1) * partitions] -> [width, tokens * partitions]
ggml_tensor* LlavaGraph::drop_cls(ggml_tensor* x) {
    const size_t row = x->nb[1];
    ggml_tensor* patches = ggml_view_3d(ctx0, x, n_embd, n_patches, n_batch, row, row * (n_patches + 1), row);
    return ggml_cont_2d(ctx0, patches, n_embd, n_patches * n_batch);
}

void read_outputs(ggml_cgraph* graph, ClipRequest& request) {
    for (int il : request.attention_layers) {
        request.attention.push_back(read(graph, attention_name(il)));
    }
    if (request.want_features) {
        request.features = read(graph, kFeatures);
    }
    if (request.want_rows) {
        request.projected = read(graph, kProjected);
    } else {
        request.hidden = read(graph, kHidden);
    }
}

}  // namespace hired
