#include "engine/clip_tensors.h"

#include <string>
#include <utility>

#include "core/error.h"
#include "engine/clip_llava.h"

namespace hired {
namespace {

template <class Owner>
using Named = std::pair<ggml_tensor * Owner::*, const char*>;

constexpr Named<clip_model> kOutside[] = {
    {&clip_model::class_embedding, "v.class_embd"},
    {&clip_model::patch_embeddings_0, "v.patch_embd.weight"},
    {&clip_model::position_embeddings, "v.position_embd.weight"},
    {&clip_model::pre_ln_w, "v.pre_ln.weight"},
    {&clip_model::pre_ln_b, "v.pre_ln.bias"},
    {&clip_model::mm_0_w, "mm.0.weight"},
    {&clip_model::mm_0_b, "mm.0.bias"},
    {&clip_model::mm_2_w, "mm.2.weight"},
    {&clip_model::mm_2_b, "mm.2.bias"},
};

constexpr Named<clip_layer> kInside[] = {
    {&clip_layer::ln_1_w, "ln1.weight"},         {&clip_layer::ln_1_b, "ln1.bias"},
    {&clip_layer::q_w, "attn_q.weight"},         {&clip_layer::q_b, "attn_q.bias"},
    {&clip_layer::k_w, "attn_k.weight"},         {&clip_layer::k_b, "attn_k.bias"},
    {&clip_layer::v_w, "attn_v.weight"},         {&clip_layer::v_b, "attn_v.bias"},
    {&clip_layer::o_w, "attn_out.weight"},       {&clip_layer::o_b, "attn_out.bias"},
    {&clip_layer::ln_2_w, "ln2.weight"},         {&clip_layer::ln_2_b, "ln2.bias"},
    {&clip_layer::ff_up_w, "ffn_up.weight"},     {&clip_layer::ff_up_b, "ffn_up.bias"},
    {&clip_layer::ff_down_w, "ffn_down.weight"}, {&clip_layer::ff_down_b, "ffn_down.bias"},
};

template <class Owner, std::size_t N>
void require(const Owner& owner, const Named<Owner> (&tensors)[N], const std::string& prefix) {
    for (const auto& [member, name] : tensors) {
        if (!(owner.*member)) throw NativeError(text("[vision] tensor '", prefix, name, "' is missing"));
    }
}

}  // namespace

void require_tensors(const clip_model& model) {
    require(model, kOutside, "");
    for (int il = 0; il < executed_layers(model.hparams); ++il) {
        require(model.layers[il], kInside, text("v.blk.", il, "."));
    }
}

}  // namespace hired
