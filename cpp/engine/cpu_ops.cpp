#include "engine/cpu_ops.h"

#include <cmath>

#include "kernels/kernels.h"

namespace hired {
namespace {

float* floats(const ggml_tensor* t) {
    return static_cast<float*>(t->data);
}

const Kernels& kernels_of(void* user) {
    return *static_cast<const Kernels*>(user);
}

void run_mul_mat(ggml_tensor* y, int thread, int threads, void* kernels) {
    const ggml_tensor* w = y->src[0];
    const ggml_tensor* x = y->src[1];
    kernels_of(kernels).multiply({.rows = static_cast<int>(ggml_nrows(x)),
                                  .columns = static_cast<int>(w->ne[1]),
                                  .depth = static_cast<int>(w->ne[0]),
                                  .x = floats(x),
                                  .x_stride = x->nb[1] / sizeof(float),
                                  .w = w->data,
                                  .w_stride = w->nb[1] / ggml_type_size(w->type),
                                  .weights = w->type == GGML_TYPE_F16 ? Weights::f16 : Weights::f32,
                                  .y = floats(y),
                                  .y_stride = y->nb[1] / sizeof(float)},
                                 thread, threads);
}

void run_attention(ggml_tensor* out, int thread, int threads, void* kernels) {
    const auto width = static_cast<int>(out->ne[0]);
    kernels_of(kernels).attend({.partitions = static_cast<int>(out->ne[3]),
                                .tokens = static_cast<int>(out->ne[2]),
                                .heads = static_cast<int>(out->ne[1]),
                                .width = width,
                                .scale = 1.0F / std::sqrt(static_cast<float>(width)),
                                .q = floats(out->src[0]),
                                .k = floats(out->src[1]),
                                .v = floats(out->src[2]),
                                .out = floats(out)},
                               thread, threads);
}

void* user_data(const Kernels& kernels) {
    return const_cast<Kernels*>(&kernels);  // ggml hands it back, nobody writes to it
}

}  // namespace

bool kernel_takes(const ggml_tensor* w) {
    return ggml_is_matrix(w) && (w->type == GGML_TYPE_F32 || w->type == GGML_TYPE_F16);
}

ggml_tensor* kernel_mul_mat(ggml_context* ctx, const Kernels& kernels, ggml_tensor* w, ggml_tensor* x) {
    ggml_tensor* args[] = {w, x};
    return ggml_custom_4d(ctx, GGML_TYPE_F32, w->ne[1], x->ne[1], x->ne[2], x->ne[3], args, 2, run_mul_mat,
                          GGML_N_TASKS_MAX, user_data(kernels));
}

ggml_tensor* kernel_attention(ggml_context* ctx, const Kernels& kernels, ggml_tensor* q, ggml_tensor* k,
                              ggml_tensor* v) {
    ggml_tensor* args[] = {q, k, v};
    return ggml_custom_4d(ctx, GGML_TYPE_F32, q->ne[0], q->ne[1], q->ne[2], q->ne[3], args, 3, run_attention,
                          GGML_N_TASKS_MAX, user_data(kernels));
}

}  // namespace hired
