#include "engine/language.h"

#include <llama.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/error.h"

namespace hired {
namespace {

void check(llama_context* ctx, std::span<const float> rows, int width, int n_past, int n_batch) {
    if (!ctx) throw InputError("[prefill] context is 0; the address of a llama_context is needed");
    const llama_model* model = llama_get_model(ctx);
    const int wanted = llama_model_n_embd_inp(model);
    if (width != wanted) {
        throw InputError(text("[prefill] rows are ", width, " wide, the language model takes ", wanted));
    }
    const auto rope = llama_model_rope_type(model);
    if (rope == LLAMA_ROPE_TYPE_MROPE || rope == LLAMA_ROPE_TYPE_IMROPE) {
        throw InputError("[prefill] language models with M-RoPE positions are not LLaVA models");
    }
    const auto n = static_cast<long>(rows.size()) / width;
    const long n_ctx = llama_n_ctx(ctx);
    if (n_past < 0 || n_past + n > n_ctx) {
        throw InputError(
            text("[prefill] rows at positions ", n_past, " to ", n_past + n - 1, " in a context of ", n_ctx));
    }
    if (n_batch < 1 || std::cmp_greater(n_batch, llama_n_batch(ctx))) {
        throw InputError(text("[prefill] n_batch ", n_batch, "; allowed: 1 to ", llama_n_batch(ctx)));
    }
    if (!std::ranges::all_of(rows, [](float v) { return std::isfinite(v); })) {
        throw NumericError("[prefill] a visual row holds NaN or infinity");
    }
}

int decode(llama_context* ctx, std::span<const float> rows, int n, int n_past, bool output) {
    std::vector<llama_pos> positions(n);
    std::iota(positions.begin(), positions.end(), n_past);
    std::vector<int32_t> n_sequences(n, 1);
    llama_seq_id zero = 0;
    std::vector<llama_seq_id*> sequences(n, &zero);
    std::vector<int8_t> logits(n, 0);
    logits.back() = output ? 1 : 0;
    const llama_batch batch{.n_tokens = n,
                            .token = nullptr,
                            .embd = const_cast<float*>(rows.data()),  // llama_decode only reads it
                            .pos = positions.data(),
                            .n_seq_id = n_sequences.data(),
                            .seq_id = sequences.data(),
                            .logits = logits.data()};
    return llama_decode(ctx, batch);
}

}  // namespace

void eval_rows(llama_context* ctx, std::span<const float> rows, int width, int n_past, int n_batch,
               bool logits, const Interrupt& interrupt) {
    check(ctx, rows, width, n_past, n_batch);
    llama_memory_t memory = llama_get_memory(ctx);
    llama_memory_seq_rm(memory, 0, n_past, -1);
    const InterruptScope interruptible(
        [ctx](AbortCallback callback, void* user) { llama_set_abort_callback(ctx, callback, user); },
        interrupt);
    const int n = static_cast<int>(rows.size()) / width;
    for (int first = 0; first < n; first += n_batch) {
        const int count = std::min(n_batch, n - first);
        const auto slice =
            rows.subspan(static_cast<std::size_t>(first) * width, static_cast<std::size_t>(count) * width);
        const int status = decode(ctx, slice, count, n_past + first, logits && first + count == n);
        if (status == 0) continue;
        llama_memory_seq_rm(memory, 0, n_past, -1);
        if (status == 2) throw Interrupted(text("[prefill] interrupted after ", first, " rows"));
        throw NativeError(
            text("[prefill] llama_decode gave ", status, " for rows ", first, " to ", first + count - 1));
    }
}

}  // namespace hired
