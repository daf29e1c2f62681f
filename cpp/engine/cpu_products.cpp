#include "engine/cpu_products.h"

#include <ggml-cpu/traits.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "kernels/kernels.h"

// ggml's CPU backend offers each operation to the owners of its extra buffer types, such as the one for
// repacked weights, before it computes it itself. Ours stands before one of these owners and passes on what
// is not for us. So our products are nodes of ggml's own graph, in its own threads: a backend of our own
// would cut the graph at each of them.

namespace hired {
namespace {

constexpr std::pair<ggml_type, QuantizedType> kTypes[] = {
    {GGML_TYPE_Q3_K, QuantizedType::q3_k}, {GGML_TYPE_Q4_0, QuantizedType::q4_0},
    {GGML_TYPE_Q4_K, QuantizedType::q4_k}, {GGML_TYPE_Q5_0, QuantizedType::q5_0},
    {GGML_TYPE_Q5_K, QuantizedType::q5_k}, {GGML_TYPE_Q6_K, QuantizedType::q6_k},
    {GGML_TYPE_Q8_0, QuantizedType::q8_0},
};

// Where in the table; its end for others.
auto find_type(ggml_type type) {
    return std::ranges::find(kTypes, type, &std::pair<ggml_type, QuantizedType>::first);
}

bool is_plain(const ggml_tensor* t) {
    return t->type == GGML_TYPE_F32 && ggml_is_matrix(t) && t->nb[0] == sizeof(float) &&
           t->nb[1] % sizeof(float) == 0;
}

QuantizedProduct product_of(const ggml_tensor* y, void* quantized) {
    const ggml_tensor* w = y->src[0];
    const ggml_tensor* x = y->src[1];
    return {.type = find_type(w->type)->second,
            .rows = static_cast<int>(x->ne[1]),
            .columns = static_cast<int>(w->ne[1]),
            .depth = static_cast<int>(w->ne[0]),
            .x = static_cast<const float*>(x->data),
            .x_stride = x->nb[1] / sizeof(float),
            .quantized = quantized,
            .w = w->data,
            .y = static_cast<float*>(y->data),
            .y_stride = y->nb[1] / sizeof(float)};
}

constexpr std::size_t kLine = 64;  // bytes, a cache line's

void* aligned(void* memory) {
    return reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(memory) + kLine - 1) / kLine * kLine);
}

// Columns that a thread takes at a time: several times each thread, so that a slow core holds up nobody.
int stripe_of(const QuantizedProduct& p, int threads) {
    constexpr int kUnit = 32, kMost = 256, kTimes = 4;
    return std::clamp(p.columns / (threads * kTimes) / kUnit * kUnit, kUnit, kMost);
}

class Products final : public ggml::cpu::tensor_traits {
  public:
    explicit Products(const Kernels& kernels) : kernels_(kernels) {}

    bool work_size(int, const ggml_tensor* op, size_t& size) override {
        const QuantizedProduct p = product_of(op, nullptr);
        size = kernels_.quantized_bytes(p.type, p.rows, p.depth) + kLine;
        return true;
    }

    bool compute_forward(ggml_compute_params* params, ggml_tensor* op) override {
        const QuantizedProduct p = product_of(op, aligned(params->wdata));
        kernels_.quantize(p, params->ith, params->nth);
        if (params->ith == 0) ggml_threadpool_chunk_set(params->threadpool, params->nth);
        ggml_barrier(params->threadpool);
        const int width = stripe_of(p, params->nth);
        for (int i = params->ith; i * width < p.columns;
             i = ggml_threadpool_chunk_add(params->threadpool, 1)) {
            kernels_.multiply_quantized(p, i * width, std::min(p.columns, (i + 1) * width));
        }
        return true;
    }

  private:
    const Kernels& kernels_;
};

// Never destroyed: a graph may be computed until the process ends.
Products* products_of(const Kernels& kernels) {
    static auto& all = *[] {
        auto made = std::make_unique<std::map<const Kernels*, Products>>();
        for (const Kernels* k : kernels_here()) made->try_emplace(k, *k);
        return made.release();
    }();
    return &all.at(&kernels);
}

class Hook final : public ggml::cpu::extra_buffer_type {
  public:
    Hook(KernelsOfBuffer kernels_of, ggml::cpu::extra_buffer_type* next)
        : kernels_of_(kernels_of), next_(next) {}

    bool supports_op(ggml_backend_dev_t dev, const ggml_tensor* op) override {
        return next_->supports_op(dev, op);
    }

    ggml::cpu::tensor_traits* get_tensor_traits(const ggml_tensor* op) override {
        if (op->op == GGML_OP_MUL_MAT && op->src[0]->buffer) {
            const Kernels* kernels = kernels_of_(op->src[0]->buffer);
            if (kernels && can_multiply(op)) return products_of(*kernels);
        }
        return next_->get_tensor_traits(op);
    }

  private:
    KernelsOfBuffer kernels_of_;
    ggml::cpu::extra_buffer_type* next_;
};

ggml_backend_buffer_type_t hooked_type() {
    const auto& types = ggml_backend_cpu_get_extra_buffer_types();
    const auto found = std::ranges::find_if(types, [](auto type) { return type && type->context; });
    return found == types.end() ? nullptr : *found;
}

// Other threads may be computing: one pointer changes, and whoever reads it gets either owner.
void hook(ggml_backend_buffer_type& type, KernelsOfBuffer kernels_of) {
    std::atomic_ref<void*> owner(type.context);
    auto* next = static_cast<ggml::cpu::extra_buffer_type*>(owner.load());
    ggml::cpu::extra_buffer_type* first = std::make_unique<Hook>(kernels_of, next).release();  // for ever
    owner.store(first);
}

}  // namespace

bool can_multiply(const ggml_tensor* op) {
    const ggml_tensor* w = op->src[0];
    return op->op == GGML_OP_MUL_MAT && find_type(w->type) != std::end(kTypes) && ggml_is_contiguous(w) &&
           ggml_is_matrix(w) && is_plain(op->src[1]) && is_plain(op);
}

bool has_cpu_hook() {
    return hooked_type() != nullptr;
}

void hook_cpu_products(KernelsOfBuffer kernels_of) {
    static const bool once = [&] {
        hook(*hooked_type(), kernels_of);
        return true;
    }();
    static_cast<void>(once);
}

}  // namespace hired
