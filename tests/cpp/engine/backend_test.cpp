#include "engine/backend.h"

#include <doctest/doctest.h>
#include <ggml-cpp.h>

#include <algorithm>

#include "core/error.h"

using namespace hired;

TEST_CASE("the CPU is always there, under any spelling") {
    const auto devices = list_devices();
    CHECK(std::ranges::count(devices, "CPU", &Device::name) == 1);
    CHECK(find_device("cpu") == nullptr);
    CHECK(find_device("CPU") == nullptr);
    CHECK(has_backend("CPU"));
    CHECK_FALSE(has_backend("nothing"));
}

TEST_CASE("a device that is not there") {
    CHECK_THROWS_WITH_AS(find_device("cuda99"),
                         doctest::Contains("[device] 'cuda99' is not there; allowed: auto, cpu, gpu"),
                         InputError);
}

TEST_CASE("functions of a backend, by name") {
    const ggml_backend_ptr cpu(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
    REQUIRE(cpu);
    CHECK(backend_function(cpu.get(), "ggml_backend_set_abort_callback") != nullptr);
    CHECK(backend_function(cpu.get(), "ggml_backend_fly") == nullptr);
}
