#include "engine/clip_parts.h"

#include <algorithm>

#include "engine/cpu_ops.h"

namespace hired {

int executed_layers(const clip_hparams& hparams) {
    const auto& named = hparams.feature_layers;
    return named.empty() ? hparams.n_layer : *std::ranges::max_element(named);
}

ggml_tensor* LlavaParts::build_mm(ggml_tensor* w, ggml_tensor* x) const {
    return kernels_ && kernel_takes(w) ? kernel_mul_mat(ctx0, *kernels_, w, x) : clip_graph::build_mm(w, x);
}

// What a block's attention reads of its input.
ggml_tensor* LlavaParts::norm(ggml_tensor* x, int il) {
    const clip_layer& layer = model.layers[il];
    return build_norm(x, layer.ln_1_w, layer.ln_1_b, NORM_TYPE_NORMAL, eps, il);
}

ggml_tensor* LlavaParts::linear(ggml_tensor* w, ggml_tensor* b, ggml_tensor* x) {
    return ggml_add(ctx0, build_mm(w, x), b);
}

// [width, rows * partitions] -> [head width, heads, rows, partitions]
ggml_tensor* LlavaParts::by_head(ggml_tensor* x, int64_t rows) {
    return ggml_reshape_4d(ctx0, x, d_head, n_head, rows, x->ne[1] / rows);
}

// The last block's attention, by plain products whatever flash attention is, so that a row has the same
// numbers beside all others and beside few of them. q [head width, heads, rows of all partitions], k and v
// [head width, heads, tokens + 1, partitions] -> [width, rows of all partitions]; `rows` are those of each
// partition.
ggml_tensor* LlavaParts::attend_plainly(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                                        std::span<const int64_t> rows) {
    const auto part = [this](ggml_tensor* t, int64_t n, size_t offset) {
        return ggml_view_3d(ctx0, t, d_head, n_head, n, t->nb[1], t->nb[2], offset);
    };
    ggml_tensor* x = nullptr;
    size_t first = 0;
    for (std::size_t p = 0; p < rows.size(); ++p) {
        if (rows[p] == 0) continue;
        ggml_tensor* own = part(q, rows[p], first * q->nb[2]);
        ggml_tensor* y = attend_in(own, part(k, k->ne[2], p * k->nb[3]), part(v, v->ne[2], p * v->nb[3]));
        x = x ? ggml_concat(ctx0, x, y, 1) : y;
        first += rows[p];
    }
    return x;
}

// One partition: q [head width, heads, rows], k and v [head width, heads, tokens + 1] -> [width, rows]
ggml_tensor* LlavaParts::attend_in(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v) {
    const int64_t n = q->ne[2];
    q = ggml_cont(ctx0, ggml_permute(ctx0, q, 0, 2, 1, 3));
    ggml_tensor* scores = ggml_mul_mat(ctx0, ggml_permute(ctx0, k, 0, 2, 1, 3), q);
    ggml_prec_set_acc(scores, GGML_PREC_F32);
    scores = ggml_soft_max_ext(ctx0, scores, nullptr, kq_scale, 0.0F);
    ggml_tensor* x = ggml_mul_mat(ctx0, ggml_cont(ctx0, ggml_permute(ctx0, v, 1, 2, 0, 3)), scores);
    ggml_prec_set_acc(x, GGML_PREC_F32);
    return ggml_cont_2d(ctx0, ggml_permute(ctx0, x, 0, 2, 1, 3), n_embd, n);
}

// The rest of a block, row by row: `x` is what attention gives, `inp` the block's input.
ggml_tensor* LlavaParts::after_attention(ggml_tensor* x, ggml_tensor* inp, int il) {
    const clip_layer& layer = model.layers[il];
    inp = ggml_add(ctx0, linear(layer.o_w, layer.o_b, x), inp);
    x = build_norm(inp, layer.ln_2_w, layer.ln_2_b, NORM_TYPE_NORMAL, eps, il);
    x = activate(linear(layer.ff_up_w, layer.ff_up_b, x));
    return ggml_add(ctx0, linear(layer.ff_down_w, layer.ff_down_b, x), inp);
}

// CLIP's quick GELU x * sigmoid(1.702 x), from SiLU: ggml's own reads a float16 table on the CPU, and its
// error of 1e-3 shows in the attention.
ggml_tensor* LlavaParts::activate(ggml_tensor* x) {
    if (hparams.ffn_op != FFN_GELU_QUICK) return ggml_gelu_erf(ctx0, x);
    x = ggml_silu_inplace(ctx0, ggml_scale_inplace(ctx0, x, 1.702F));
    return ggml_scale_inplace(ctx0, x, 1.0F / 1.702F);
}

// [width, rows] -> [text width, rows], with the exact GELU that LLaVA was trained on
ggml_tensor* LlavaParts::project(ggml_tensor* x) {
    return linear(model.mm_2_w, model.mm_2_b, ggml_gelu_erf(ctx0, linear(model.mm_0_w, model.mm_0_b, x)));
}

ggml_tensor* LlavaParts::output(ggml_tensor* x, const char* name) {
    ggml_set_name(x, name);
    ggml_set_output(x);
    ggml_build_forward_expand(gf, x);
    return x;
}

}  // namespace hired
