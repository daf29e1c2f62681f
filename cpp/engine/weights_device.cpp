#include "engine/weights_device.h"

#include <ggml-backend-impl.h>

#include <map>
#include <memory>

#include "engine/cpu_products.h"
#include "kernels/kernels.h"

// llama.cpp asks devices of the type ACCEL first where to put a weight. This one has a buffer type of its
// own, so that it comes before ggml's repacking; the memory is the host's, so that ggml's CPU backend
// computes with it.

namespace hired {
namespace {

/// What ggml wants to see, for one table of kernels.
struct Offer {
    const Kernels* kernels = nullptr;
    int count = 0;
    ggml_backend_reg reg{};
    ggml_backend_device device{};
    ggml_backend_buffer_type type{};
};

Offer& offer_of(ggml_backend_dev_t device) {
    return *static_cast<Offer*>(device->context);
}

// --- matrices in host memory -------------------------------------------------------------------------------

constexpr const char* kName = "HIRED";

const char* name_of(ggml_backend_buffer_type_t) {
    return kName;
}

ggml_backend_buffer_type_t host() {
    return ggml_backend_cpu_buffer_type();
}

ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(host(), size);
    if (buffer) buffer->buft = type;
    return buffer;
}

ggml_backend_buffer_t wrap(ggml_backend_dev_t device, void* memory, size_t size, size_t) {
    ggml_backend_buffer_t buffer = ggml_backend_cpu_buffer_from_ptr(memory, size);
    if (buffer) buffer->buft = &offer_of(device).type;
    return buffer;
}

const Kernels* kernels_of(ggml_backend_buffer_t buffer) {
    ggml_backend_buffer_type_t type = buffer->buft;
    return type->iface.get_name == name_of ? static_cast<const Offer*>(type->context)->kernels : nullptr;
}

ggml_backend_buffer_type buffer_type(Offer& offer) {
    return {.iface = {.get_name = name_of,
                      .alloc_buffer = allocate,
                      .get_alignment =
                          [](ggml_backend_buffer_type_t) { return ggml_backend_buft_get_alignment(host()); },
                      .get_max_size = nullptr,
                      .get_alloc_size = nullptr,
                      .is_host = [](ggml_backend_buffer_type_t) { return true; }},
            .device = &offer.device,
            .context = &offer};
}

// --- a backend that computes nothing: llama.cpp makes one of each device
// ------------------------------------

ggml_backend_t make_backend(ggml_backend_dev_t device, const char*) {
    static ggml_guid guid = {0x68, 0x69, 0x72, 0x65, 0x64, 0x2d, 0x67, 0x67,
                             0x75, 0x66, 0x2d, 0x77, 0x67, 0x68, 0x74, 0x73};
    ggml_backend_i iface{};
    iface.get_name = [](ggml_backend_t) { return kName; };
    iface.free = [](ggml_backend_t backend) { const std::unique_ptr<ggml_backend> owned(backend); };
    iface.graph_compute = [](ggml_backend_t, ggml_cgraph*) { return GGML_STATUS_FAILED; };
    auto backend = std::make_unique<ggml_backend>(
        ggml_backend{.guid = &guid, .iface = iface, .device = device, .context = nullptr});
    return backend.release();
}

// --- the device --------------------------------------------------------------------------------------------

// Asked with a buffer of no size, llama.cpp looks for a weight's place; else ggml looks for who computes,
// which is the CPU backend.
bool takes(ggml_backend_dev_t, const ggml_tensor* op) {
    const bool placing =
        op->src[0] && op->src[0]->buffer && ggml_backend_buffer_get_size(op->src[0]->buffer) == 0;
    return placing && can_multiply(op);
}

void properties(ggml_backend_dev_t device, ggml_backend_dev_props* props) {
    *props = {};
    props->name = ggml_backend_dev_name(device);
    props->description = ggml_backend_dev_description(device);
    props->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
    props->caps.buffer_from_host_ptr = true;
}

ggml_backend_device_i device_interface() {
    ggml_backend_device_i iface{};
    iface.get_name = [](ggml_backend_dev_t) { return kName; };
    iface.get_description = [](ggml_backend_dev_t) { return "hired-gguf's kernels"; };
    iface.get_memory = [](ggml_backend_dev_t, size_t* free, size_t* total) {
        *free = 0;
        *total = 0;
    };
    iface.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
    iface.get_props = properties;
    iface.init_backend = make_backend;
    iface.get_buffer_type = [](ggml_backend_dev_t device) -> ggml_backend_buffer_type_t {
        return &offer_of(device).type;
    };
    iface.buffer_from_host_ptr = wrap;
    iface.supports_op = takes;
    iface.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
        return ggml_backend_buft_is_host(type);
    };
    return iface;
}

void make(Offer& offer, const Kernels& kernels) {
    offer.kernels = &kernels;
    offer.reg = {.api_version = GGML_BACKEND_API_VERSION,
                 .iface = {.get_name = [](ggml_backend_reg_t) { return kName; },
                           .get_device_count = [](ggml_backend_reg_t) { return size_t{1}; },
                           .get_device = [](ggml_backend_reg_t reg, size_t) -> ggml_backend_dev_t {
                               return &static_cast<Offer*>(reg->context)->device;
                           },
                           .get_proc_address = nullptr},
                 .context = &offer};
    offer.device = {.iface = device_interface(), .reg = &offer.reg, .context = &offer};
    offer.type = buffer_type(offer);
}

// Never destroyed: models outlive the offer.
Offer& offer_for(const Kernels& kernels) {
    static auto& offers = *std::make_unique<std::map<const Kernels*, Offer>>().release();
    const auto [found, added] = offers.try_emplace(&kernels);
    if (added) make(found->second, kernels);
    return found->second;
}

}  // namespace

bool can_offer_kernels() {
    return has_cpu_hook();
}

void offer_kernels(const Kernels& kernels) {
    hook_cpu_products(kernels_of);
    Offer& offer = offer_for(kernels);
    if (offer.count++ == 0) ggml_backend_register(&offer.reg);
}

void adopt(ggml_backend_buffer& buffer, const Kernels& kernels) {
    hook_cpu_products(kernels_of);
    buffer.buft = &offer_for(kernels).type;
}

void withdraw_kernels(const Kernels& kernels) {
    Offer& offer = offer_for(kernels);
    if (--offer.count == 0) ggml_backend_unload(&offer.reg);
}

}  // namespace hired
