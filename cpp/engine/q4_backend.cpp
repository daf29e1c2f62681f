#include "engine/q4_backend.h"

#include <ggml-cpp.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <vector>

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
    const float* x;
    size_t x_stride;
    void* q8;
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
    return {{static_cast<int>(x->ne[1]), static_cast<int>(w->ne[1]), static_cast<int>(w->ne[0]), q8, w->data,
             static_cast<float*>(y->data), y->nb[1] / sizeof(float)},
            static_cast<const float*>(x->data),
            x->nb[1] / sizeof(float),
            q8};
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
    ggml_context_ptr ctx{ggml_init(
        {nodes * ggml_tensor_overhead() + ggml_graph_overhead_custom(nodes, false), nullptr, true})};
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

ggml_status compute(ggml_backend_t backend, ggml_cgraph* graph) {
    try {
        const auto products = products_of(graph);
        if (products.empty()) return GGML_STATUS_SUCCESS;
        return run(*static_cast<Context*>(backend->context), products);
    } catch (const std::bad_alloc&) {  // nothing may be thrown through llama.cpp
        return GGML_STATUS_ALLOC_FAILED;
    }
}

void free_backend(ggml_backend_t backend) {
    delete static_cast<Context*>(backend->context);
    delete backend;
}

ggml_backend_t cpu_of(ggml_backend_t backend) {
    return static_cast<Context*>(backend->context)->cpu.get();
}

void* proc_of_cpu(const char* name) {
    return ggml_backend_reg_get_proc_address(
        ggml_backend_dev_backend_reg(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)), name);
}

void set_n_threads(ggml_backend_t backend, int n_threads) {
    auto set = reinterpret_cast<ggml_backend_set_n_threads_t>(proc_of_cpu("ggml_backend_set_n_threads"));
    if (set) set(cpu_of(backend), n_threads);
}

void set_abort_callback(ggml_backend_t backend, ggml_abort_callback callback, void* user) {
    auto set =
        reinterpret_cast<ggml_backend_set_abort_callback_t>(proc_of_cpu("ggml_backend_set_abort_callback"));
    if (set) set(cpu_of(backend), callback, user);
}

}  // namespace

ggml_backend_t make_q4_backend(ggml_backend_dev_t device) {
    static ggml_guid guid = {0x68, 0x69, 0x72, 0x65, 0x64, 0x2d, 0x67, 0x67,
                             0x75, 0x66, 0x2d, 0x71, 0x34, 0x5f, 0x30, 0x31};
    ggml_backend_i iface{};
    iface.get_name = [](ggml_backend_t) { return "HIRED_Q4"; };
    iface.free = free_backend;
    iface.graph_compute = compute;
    return new ggml_backend{&guid, iface, device, new Context};
}

void* q4_backend_function(const char* name) {
    const std::string wanted = name;
    if (wanted == "ggml_backend_set_n_threads") return reinterpret_cast<void*>(set_n_threads);
    if (wanted == "ggml_backend_set_abort_callback") return reinterpret_cast<void*>(set_abort_callback);
    return nullptr;
}

}  // namespace hired
