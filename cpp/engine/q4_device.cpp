#include "engine/q4_device.h"

#include "engine/q4_backend.h"
#include "kernels/q4.h"

// llama.cpp asks devices of the type ACCEL first where to put a weight, and what to compute with it. This one
// has a buffer type of its own, so that it comes before ggml's repacking; the memory is the host's, so that
// ggml can use it too.

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
        .iface = {.get_name = [](ggml_backend_buffer_type_t) { return "HIRED_Q4"; },
                  .alloc_buffer = allocate,
                  .get_alignment =
                      [](ggml_backend_buffer_type_t) { return ggml_backend_buft_get_alignment(host()); },
                  .get_max_size = nullptr,
                  .get_alloc_size = nullptr,
                  .is_host = [](ggml_backend_buffer_type_t) { return true; }},
        .device = device(),
        .context = nullptr};
    return &type;
}

ggml_backend_buffer_t wrap(ggml_backend_dev_t, void* memory, size_t size, size_t) {
    ggml_backend_buffer_t buffer = ggml_backend_cpu_buffer_from_ptr(memory, size);
    if (buffer) buffer->buft = buffer_type();
    return buffer;
}

// --- the device --------------------------------------------------------------------------------------------

bool is_plain(const ggml_tensor* t) {
    return t->type == GGML_TYPE_F32 && ggml_is_matrix(t) && t->nb[0] == sizeof(float) &&
           t->nb[1] % sizeof(float) == 0;
}

bool computes_nothing(ggml_op op) {
    return op == GGML_OP_NONE || op == GGML_OP_RESHAPE || op == GGML_OP_VIEW || op == GGML_OP_PERMUTE ||
           op == GGML_OP_TRANSPOSE;
}

bool supports(ggml_backend_dev_t, const ggml_tensor* op) {
    if (op->op != GGML_OP_MUL_MAT) return computes_nothing(op->op);
    const ggml_tensor* w = op->src[0];
    return w->type == GGML_TYPE_Q4_0 && ggml_is_contiguous(w) && ggml_is_matrix(w) &&
           w->ne[1] % kQ4Columns == 0 && is_plain(op->src[1]) && is_plain(op);
}

void properties(ggml_backend_dev_t dev, ggml_backend_dev_props* props) {
    *props = {};
    props->name = ggml_backend_dev_name(dev);
    props->description = ggml_backend_dev_description(dev);
    props->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
    props->caps.buffer_from_host_ptr = true;
}

ggml_backend_reg* registration() {
    static ggml_backend_reg reg{
        .api_version = GGML_BACKEND_API_VERSION,
        .iface = {.get_name = [](ggml_backend_reg_t) { return "HIRED"; },
                  .get_device_count = [](ggml_backend_reg_t) { return size_t{1}; },
                  .get_device = [](ggml_backend_reg_t, size_t) { return device(); },
                  .get_proc_address = [](ggml_backend_reg_t,
                                         const char* name) { return q4_backend_function(name); }},
        .context = nullptr};
    return &reg;
}

ggml_backend_device* device() {
    static ggml_backend_device dev = [] {
        ggml_backend_device_i iface{};
        iface.get_name = [](ggml_backend_dev_t) { return "HIRED_Q4"; };
        iface.get_description = [](ggml_backend_dev_t) { return "hired-gguf's kernels for Q4_0"; };
        iface.get_memory = [](ggml_backend_dev_t, size_t* free, size_t* total) {
            *free = 0;
            *total = 0;
        };
        iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
        iface.get_props = properties;
        iface.init_backend = [](ggml_backend_dev_t dev, const char*) { return make_q4_backend(dev); };
        iface.get_buffer_type = [](ggml_backend_dev_t) -> ggml_backend_buffer_type_t {
            return buffer_type();
        };
        iface.buffer_from_host_ptr = wrap;
        iface.supports_op = supports;
        iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
            return ggml_backend_buft_is_host(type);
        };
        return ggml_backend_device{.iface = iface, .reg = registration(), .context = nullptr};
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
