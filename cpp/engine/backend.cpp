#include "engine/backend.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cctype>

#include "core/error.h"

namespace hired {
namespace {

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

bool is_gpu(ggml_backend_dev_t dev) {
    const auto type = ggml_backend_dev_type(dev);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

}  // namespace

std::vector<Device> list_devices() {
    std::vector<Device> devices;
    for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        ggml_backend_dev_t dev = ggml_backend_dev_get(i);
        Device d{.name = ggml_backend_dev_name(dev),
                 .description = ggml_backend_dev_description(dev),
                 .gpu = is_gpu(dev)};
        ggml_backend_dev_memory(dev, &d.memory_free, &d.memory_total);
        devices.push_back(std::move(d));
    }
    return devices;
}

ggml_backend_device* find_device(const std::string& name) {
    const std::string wanted = lower(name);
    if (wanted == "cpu") return nullptr;
    std::string names;
    for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        ggml_backend_dev_t dev = ggml_backend_dev_get(i);
        if (is_gpu(dev) && (wanted == "auto" || wanted == "gpu")) return dev;
        if (is_gpu(dev) && lower(ggml_backend_dev_name(dev)) == wanted) return dev;
        if (is_gpu(dev)) names += std::string(", ") + ggml_backend_dev_name(dev);
    }
    if (wanted == "auto") return nullptr;
    throw InputError(text("[device] '", name, "' is not there; allowed: auto, cpu, gpu", names));
}

bool has_backend(const std::string& name) {
    return ggml_backend_reg_by_name(name.c_str()) != nullptr;
}

void* backend_function(ggml_backend* backend, const char* name) {
    ggml_backend_dev_t dev = ggml_backend_get_device(backend);
    ggml_backend_reg_t reg = dev ? ggml_backend_dev_backend_reg(dev) : nullptr;
    return reg ? ggml_backend_reg_get_proc_address(reg, name) : nullptr;
}

}  // namespace hired
