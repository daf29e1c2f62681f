// What graphs of the LLaVA vision tower are made of, on top of clip.cpp's own graph class.
#pragma once

#include <clip-graph.h>

#include <cstdint>
#include <span>

struct clip_ctx;

namespace hired {

struct Kernels;

// Defined in the patched clip.cpp, where clip_ctx is known.
const clip_model& clip_model_of(const clip_ctx* ctx);
ggml_backend_t cpu_backend_of(const clip_ctx* ctx);
ggml_backend_t backend_of(const clip_ctx* ctx);
ggml_backend_sched_t sched_of(const clip_ctx* ctx);

/// Number of blocks that the graph runs where nobody asks for fewer: all of the file, or up to
/// clip.vision.feature_layer.
int executed_layers(const clip_hparams& hparams);

/// CLIP ViT and two-layer GELU projector as Hugging Face's LlavaNextForConditionalGeneration runs them:
/// CLS first, no post-LayerNorm. The parts that graphs are made of; rows are tokens, CLS among them.
class LlavaParts : public clip_graph {
  public:
    LlavaParts(clip_ctx* ctx, const clip_image_f32& img, int layers, const Kernels* kernels)
        : clip_graph(ctx, img),
          layers_(layers > 0 ? layers : executed_layers(hparams)),
          exact_(backend_of(ctx) == cpu_backend_of(ctx)),
          kernels_(exact_ ? kernels : nullptr) {}

    ggml_tensor* build_mm(ggml_tensor* w, ggml_tensor* x) const override;

  protected:
    ggml_tensor* norm(ggml_tensor* x, int il);
    ggml_tensor* linear(ggml_tensor* w, ggml_tensor* b, ggml_tensor* x);
    ggml_tensor* by_head(ggml_tensor* x, int64_t rows);
    ggml_tensor* attend_plainly(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                                std::span<const int64_t> rows);
    ggml_tensor* attend_in(ggml_tensor* q, ggml_tensor* k, ggml_tensor* v);
    ggml_tensor* after_attention(ggml_tensor* x, ggml_tensor* inp, int il);
    ggml_tensor* activate(ggml_tensor* x);
    ggml_tensor* project(ggml_tensor* x);
    ggml_tensor* output(ggml_tensor* x, const char* name);

    const int layers_;  // blocks to run
    const bool exact_;  // on the CPU, where flash attention may stay in float32
    const Kernels* const kernels_;
};

}  // namespace hired
