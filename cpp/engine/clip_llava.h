// The LLaVA vision graph, hooked into the patched clip.cpp (cpp/patches/clip-1-llava-graph.patch).
// Sees clip's private headers; everything else in the engine sees vision.h only.
#pragma once

#include <clip-graph.h>

#include <vector>

struct clip_ctx;

namespace hired {

struct Kernels;

// Defined in the patched clip.cpp, where clip_ctx is known.
const clip_model& clip_model_of(const clip_ctx* ctx);
ggml_backend_t cpu_backend_of(const clip_ctx* ctx);
ggml_backend_t backend_of(const clip_ctx* ctx);

/// What one clip_encode call returns besides its status. The caller fills the wishes, read_outputs the rest.
struct ClipRequest {
    std::vector<int> attention_layers;  // 0-based executed layers
    bool want_features = false;
    int layers = 0;                    // blocks to run; 0: executed_layers
    const Kernels* kernels = nullptr;  // in place of ggml's, where the graph runs on the CPU

    std::vector<std::vector<float>> attention;  // per asked layer [partitions, heads, tokens + 1]
    std::vector<float> features;                // [partitions, tokens, width], empty unless wanted
    std::vector<float> projected;               // [partitions, tokens, text width]
};

/// CLIP ViT and two-layer GELU projector as Hugging Face's LlavaNextForConditionalGeneration runs them:
/// CLS first, as many blocks as the request wants, no post-LayerNorm, all partitions
/// of the batch in one graph. For each asked layer the CLS query meets all keys in a side branch of one row a
/// head, so the softmaxed CLS attention is there with flash attention on, on any backend.
class LlavaGraph final : public clip_graph {
  public:
    LlavaGraph(clip_ctx* ctx, const clip_image_f32& img, const ClipRequest* request)
        : clip_graph(ctx, img),
          request_(request),
          exact_(backend_of(ctx) == cpu_backend_of(ctx)),
          kernels_(exact_ && request ? request->kernels : nullptr) {}

    ggml_cgraph* build() override;
    bool support_batch() const override { return true; }
    ggml_tensor* build_mm(ggml_tensor* w, ggml_tensor* x) const override;

  private:
    ggml_tensor* patches();
    ggml_tensor* embed();
    ggml_tensor* block(ggml_tensor* inp, int il);
    ggml_tensor* heads(ggml_tensor* w, ggml_tensor* b, ggml_tensor* x);
    ggml_tensor* activate(ggml_tensor* x);
    ggml_tensor* attend(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v, int il);
    void expose_cls_attention(ggml_tensor* q, ggml_tensor* k, int il);
    ggml_tensor* drop_cls(ggml_tensor* x);
    ggml_tensor* project(ggml_tensor* x);
    ggml_tensor* output(ggml_tensor* x, const char* name);

    int layers() const;

    const ClipRequest* request_;
    const bool exact_;  // on the CPU, where flash attention may stay in float32
    const Kernels* const kernels_;
};

/// Number of blocks that the graph runs where nobody asks for fewer: all of the file, or up to
/// clip.vision.feature_layer.
int executed_layers(const clip_hparams& hparams);

/// Copies the outputs of a computed graph to the request, from whatever memory they are in. Throws
/// NativeError that names one that is not in the graph.
void read_outputs(ggml_cgraph* graph, ClipRequest& request);

}  // namespace hired
