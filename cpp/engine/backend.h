// The compute devices that the loaded llama.cpp libraries offer.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

struct ggml_backend;
struct ggml_backend_device;

namespace hired {

struct Device {
    std::string name;         // as the `device` arguments take it: "CPU", "CUDA0", "Vulkan0", ...
    std::string description;  // the maker's name for it
    bool gpu = false;
    std::size_t memory_free = 0;   // bytes
    std::size_t memory_total = 0;  // bytes
};

std::vector<Device> list_devices();

/// "auto" (the first GPU, else the CPU), "cpu", "gpu" or a device name, case-insensitive.
/// nullptr means the CPU. Throws InputError that lists the devices there are.
ggml_backend_device* find_device(const std::string& name);

/// True if the loaded ggml was built with the backend ("CUDA", "Vulkan", "Metal").
bool has_backend(const std::string& name);

/// A function that this backend has beside ggml's common ones ("ggml_backend_set_n_threads"); nullptr if it
/// has none of that name.
void* backend_function(ggml_backend* backend, const char* name);

}  // namespace hired
