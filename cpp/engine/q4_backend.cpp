#include "engine/q4_backend.h"

#include <ggml-cpp.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "kernels/q4.h"

namespace hired {
namespace {

struct Aligned {
    static constexpr std::align_val_t kLine{64};
    void operator()(char* p) const { ::operator delete(p, kLine); }
};

struct Context {
    ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    std::unique_ptr<char, Aligned> q8;
    size_t q8_size = 0;

    char* q8_of(size_t size) {
        if (size > q8_size) {
            q8.reset();
            q8_size = 0;
            q8.reset(static_cast<char*>(::operator new(size, Aligned::kLine)));
            q8_size = size;
        }
        return q8.get();
    }
};

struct Job {
    Q4Product product;
    const float* x = nullptr;
    size_t x_stride = 0;
    void* q8 = nullptr;
};

void run_quantize(ggml_tensor*, int thread, int threads, void* user) {
    const Job& job = *static_cast<Job*>(user);
    quantize_q8(job.x, job.x_stride, job.product.rows, job.product.depth, job.q8, thread, threads);
}

void run_multiply(ggml_tensor*, int thread, int threads, void* user) {
    multiply_q4(static_cast<Job*>(user)->product, thread, threads);
}

Job job_of(const ggml_tensor* y, void* q8) {
    const ggml_tensor* w = y->src[0];
    const ggml_tensor* x = y->src[1];
    return {.product = {.rows = static_cast<int>(x->ne[1]),
                        .columns = static_cast<int>(w->ne[1]),
                        .depth = static_cast<int>(w->ne[0]),
                        .q8 = q8,
                        .w = w->data,
                        .y = static_cast<float*>(y->data),
                        .y_stride = y->nb[1] / sizeof(float)},
            .x = static_cast<const float*>(x->data),
            .x_stride = x->nb[1] / sizeof(float),
            .q8 = q8};
}

std::vector<ggml_tensor*> products_of(ggml_cgraph* graph) {
    std::vector<ggml_tensor*> products;
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
        ggml_tensor* node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_MUL_MAT && node->flags & GGML_TENSOR_FLAG_COMPUTE) products.push_back(node);
    }
    return products;
}

ggml_status run(Context& context, const std::vector<ggml_tensor*>& products) {
    size_t size = 0;
    for (const ggml_tensor* y : products) {
        size = std::max(size, y->src[1]->ne[1] * q8_row_bytes(static_cast<int>(y->src[1]->ne[0])));
    }
    char* q8 = context.q8_of(size);
    std::vector<Job> jobs;
    for (const ggml_tensor* y : products) jobs.push_back(job_of(y, q8));
    const size_t nodes = 2 * products.size();
    ggml_context_ptr ctx{
        ggml_init({.mem_size = nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(nodes, false),
                   .mem_buffer = nullptr,
                   .no_alloc = true})};
    if (!ctx) return GGML_STATUS_ALLOC_FAILED;
    ggml_cgraph* graph = ggml_new_graph_custom(ctx.get(), nodes, false);
    const auto add = [&](ggml_custom_op_t work, Job& job) {
        ggml_build_forward_expand(graph, ggml_custom_4d(ctx.get(), GGML_TYPE_F32, 1, 1, 1, 1, nullptr, 0,
                                                        work, GGML_N_TASKS_MAX, &job));
    };
    for (size_t i = 0; i < jobs.size(); ++i) {
        if (i == 0 || products[i]->src[1] != products[i - 1]->src[1]) add(run_quantize, jobs[i]);
        add(run_multiply, jobs[i]);
    }
    return ggml_backend_graph_compute(context.cpu.get(), graph);
}

ggml_status compute(ggml_backend_t backend, ggml_cgraph* graph) noexcept {
    try {
        const auto products = products_of(graph);
        if (products.empty()) return GGML_STATUS_SUCCESS;
        return run(*static_cast<Context*>(backend->context), products);
    } catch (const std::bad_alloc&) {
        return GGML_STATUS_ALLOC_FAILED;
    } catch (...) {
        return GGML_STATUS_FAILED;
    }
}

void free_backend(ggml_backend_t backend) {
    const std::unique_ptr<ggml_backend> owned(backend);
    const std::unique_ptr<Context> context(static_cast<Context*>(backend->context));
}

ggml_backend_t cpu_of(ggml_backend_t backend) {
    return static_cast<Context*>(backend->context)->cpu.get();
}

void set_n_threads(ggml_backend_t backend, int n_threads) {
    ggml_backend_t cpu = cpu_of(backend);
    const auto set =
        reinterpret_cast<ggml_backend_set_n_threads_t>(backend_function(cpu, "ggml_backend_set_n_threads"));
    if (set) set(cpu, n_threads);
}

void set_abort_callback(ggml_backend_t backend, ggml_abort_callback callback, void* user) {
    ggml_backend_t cpu = cpu_of(backend);
    const auto set = reinterpret_cast<ggml_backend_set_abort_callback_t>(
        backend_function(cpu, "ggml_backend_set_abort_callback"));
    if (set) set(cpu, callback, user);
}

ggml_backend_i interface() {
    ggml_backend_i made{};
    made.get_name = [](ggml_backend_t) { return "HIRED_Q4"; };
    made.free = free_backend;
    made.graph_compute = compute;
    return made;
}

}  // namespace

ggml_backend_t make_q4_backend(ggml_backend_dev_t device) noexcept {
    static ggml_guid guid = {0x68, 0x69, 0x72, 0x65, 0x64, 0x2d, 0x67, 0x67,
                             0x75, 0x66, 0x2d, 0x71, 0x34, 0x5f, 0x30, 0x31};
    try {
        auto context = std::make_unique<Context>();
        if (!context->cpu) return nullptr;
        auto backend = std::make_unique<ggml_backend>(
            ggml_backend{.guid = &guid, .iface = interface(), .device = device, .context = context.get()});
        static_cast<void>(context.release());  // free_backend has it now
        return backend.release();
    } catch (...) {
        return nullptr;
    }
}

void* q4_backend_function(const char* name) noexcept {
    const std::string_view wanted = name;
    if (wanted == "ggml_backend_set_n_threads") return reinterpret_cast<void*>(set_n_threads);
    if (wanted == "ggml_backend_set_abort_callback") return reinterpret_cast<void*>(set_abort_callback);
    return nullptr;
}

}  // namespace hired
