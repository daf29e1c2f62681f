#include "q4_device.h"

#include <algorithm>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "ggml-backend-impl.h"
#include "ggml-cpp.h"
#include "kernels/q4.h"

// llama.cpp asks devices of the type ACCEL first where to put a weight, and what to compute with it. This one
// has a buffer type of its own, so that it comes before ggml's repacking; the memory is the host's, so that
// ggml can use it too. Its work is done by a CPU backend of ggml's, whose threads thus do all.

namespace hired {

namespace {

ggml_backend_device* device();

// --- matrices in host memory -------------------------------------------------------------------------------

ggml_backend_buffer_type_t host() {
    return ggml_backend_cpu_buffer_type();
}

ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(host(), size);
    if (buffer) buffer->buft = type;
    return buffer;
}

ggml_backend_buffer_type* buffer_type() {
    static ggml_backend_buffer_type type{
        {[](ggml_backend_buffer_type_t) { return "HIRED_Q4"; }, allocate,
         [](ggml_backend_buffer_type_t) { return ggml_backend_buft_get_alignment(host()); }, nullptr, nullptr,
         [](ggml_backend_buffer_type_t) { return true; }},
        device(),
        nullptr};
    return &type;
}

ggml_backend_buffer_t wrap(ggml_backend_dev_t, void* memory, size_t size, size_t) {
    ggml_backend_buffer_t buffer = ggml_backend_cpu_buffer_from_ptr(memory, size);
    if (buffer) buffer->buft = buffer_type();
    return buffer;
}

// --- computing ---------------------------------------------------------------------------------------------

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
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
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
    for (size_t i = 0; i < jobs.size(); i++) {
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

ggml_backend_t init_backend(ggml_backend_dev_t dev, const char*) {
    static ggml_guid guid = {0x68, 0x69, 0x72, 0x65, 0x64, 0x2d, 0x67, 0x67,
                             0x75, 0x66, 0x2d, 0x71, 0x34, 0x5f, 0x30, 0x31};
    ggml_backend_i iface{};
    iface.get_name = [](ggml_backend_t) { return "HIRED_Q4"; };
    iface.free = free_backend;
    iface.graph_compute = compute;
    return new ggml_backend{&guid, iface, dev, new Context};
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

// --- the device --------------------------------------------------------------------------------------------

bool is_plain(const ggml_tensor* t) {
    return t->type == GGML_TYPE_F32 && ggml_is_matrix(t) && t->nb[0] == sizeof(float) &&
           t->nb[1] % sizeof(float) == 0;
}

bool supports(ggml_backend_dev_t, const ggml_tensor* op) {
    switch (op->op) {
        case GGML_OP_NONE:
        case GGML_OP_RESHAPE:
        case GGML_OP_VIEW:
        case GGML_OP_PERMUTE:
        case GGML_OP_TRANSPOSE:
            return true;
        case GGML_OP_MUL_MAT:
            return op->src[0]->type == GGML_TYPE_Q4_0 && ggml_is_contiguous(op->src[0]) &&
                   ggml_is_matrix(op->src[0]) && op->src[0]->ne[1] % kQ4Columns == 0 &&
                   is_plain(op->src[1]) && is_plain(op);
        default:
            return false;
    }
}

void properties(ggml_backend_dev_t dev, ggml_backend_dev_props* props) {
    *props = {};
    props->name = ggml_backend_dev_name(dev);
    props->description = ggml_backend_dev_description(dev);
    props->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
    props->caps.buffer_from_host_ptr = true;
}

void* proc_address(ggml_backend_reg_t, const char* name) {
    const std::string wanted = name;
    if (wanted == "ggml_backend_set_n_threads") return reinterpret_cast<void*>(set_n_threads);
    if (wanted == "ggml_backend_set_abort_callback") return reinterpret_cast<void*>(set_abort_callback);
    return nullptr;
}

ggml_backend_reg* registration() {
    static ggml_backend_reg reg{
        GGML_BACKEND_API_VERSION,
        {[](ggml_backend_reg_t) { return "HIRED"; }, [](ggml_backend_reg_t) { return size_t{1}; },
         [](ggml_backend_reg_t, size_t) { return device(); }, proc_address},
        nullptr};
    return &reg;
}

ggml_backend_device* device() {
    static ggml_backend_device dev = [] {
        ggml_backend_device_i iface{};
        iface.get_name = [](ggml_backend_dev_t) { return "HIRED_Q4"; };
        iface.get_description = [](ggml_backend_dev_t) { return "hired-gguf's kernels for Q4_0"; };
        iface.get_memory = [](ggml_backend_dev_t, size_t* free, size_t* total) { *free = *total = 0; };
        iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
        iface.get_props = properties;
        iface.init_backend = init_backend;
        iface.get_buffer_type = [](ggml_backend_dev_t) -> ggml_backend_buffer_type_t {
            return buffer_type();
        };
        iface.buffer_from_host_ptr = wrap;
        iface.supports_op = supports;
        iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
            return ggml_backend_buft_is_host(type);
        };
        return ggml_backend_device{iface, registration(), nullptr};
    }();
    return &dev;
}

int offers = 0;

}  // namespace

void offer_q4_device() {
    if (offers++ == 0) ggml_backend_register(registration());
}

void withdraw_q4_device() {
    if (--offers == 0) ggml_backend_unload(registration());
}

}  // namespace hired
