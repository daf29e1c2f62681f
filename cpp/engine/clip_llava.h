// The LLaVA vision graph, hooked into the patched clip.cpp (cpp/patches/clip-1-llava-graph.patch).
// Sees clip's private headers; everything else in the engine sees vision.h only.
#pragma once

#include <vector>

#include "engine/clip_parts.h"

namespace hired {

/// What one clip_encode call returns besides its status. The caller fills the wishes, read_outputs the rest.
struct ClipRequest {
    std::vector<int> attention_layers;  // 0-based executed layers
    bool want_features = false;
    bool want_rows = true;  // false: stop where the last block begins, but for that block's CLS attention
    int layers = 0;         // blocks to run; 0: executed_layers
    const Kernels* kernels = nullptr;  // in place of ggml's, where the graph runs on the CPU

    std::vector<std::vector<float>> attention;  // per asked layer [partitions, heads, tokens + 1]
    std::vector<float> features;                // [partitions, tokens, width], empty unless wanted
    std::vector<float> projected;               // [partitions, tokens, text width], empty unless wanted
    std::vector<float> hidden;                  // [partitions, tokens + 1, width], empty if rows are wanted
};

/// From the pixels: all partitions of the batch in one graph. For each asked layer the CLS query meets all
/// keys in a side branch of one row a head, so the softmaxed CLS attention is there with flash attention on,
/// on any backend.
class LlavaGraph final : public LlavaParts {
  public:
    LlavaGraph(clip_ctx* ctx, const clip_image_f32& img, const ClipRequest* request)
        : LlavaParts(ctx, img, request ? request->layers : 0, request ? request->kernels : nullptr),
          request_(request) {}

    ggml_cgraph* build() override;
    bool support_batch() const override { return true; }

  private:
    ggml_tensor* patches();
    ggml_tensor* embed();
    ggml_tensor* block(ggml_tensor* inp, int il);
    ggml_tensor* attend(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, int il);
    bool asked(int il) const;
    void attention_of_cls(ggml_tensor* x, int il);
    void expose_cls_attention(ggml_tensor* q, ggml_tensor* k, int il);
    ggml_tensor* drop_cls(ggml_tensor* x);

    const ClipRequest* request_;
};

/// Copies the outputs of a computed graph to the request, from whatever memory they are in. Throws
/// NativeError that names one that is not in the graph.
void read_outputs(ggml_cgraph* graph, ClipRequest& request);

}  // namespace hired
