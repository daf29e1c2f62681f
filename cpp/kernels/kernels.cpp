#include "kernels/kernels.h"

#if defined(HIRED_AVX2)
#include <cpuid.h>
#endif

namespace hired {

#ifdef HIRED_AVX512VNNI
namespace avx512 {
void multiply(const Product& product, int thread, int threads);
void attend(const Attention& attention, int thread, int threads);
std::size_t quantized_bytes(QuantizedType type, int rows, int depth);
void quantize(const QuantizedProduct& product, int thread, int threads);
void multiply_quantized(const QuantizedProduct& product, int first, int last);
}  // namespace avx512

namespace {

// Compiled without the kernels' flags, since it runs everywhere.
bool runs_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("avx2");
}

constexpr Kernels kAvx512{.name = "avx512",
                          .multiply = avx512::multiply,
                          .attend = avx512::attend,
                          .quantized_bytes = avx512::quantized_bytes,
                          .quantize = avx512::quantize,
                          .multiply_quantized = avx512::multiply_quantized};

}  // namespace
#endif

#ifdef HIRED_AVX2
namespace avx2 {
void multiply(const Product& product, int thread, int threads);
void attend(const Attention& attention, int thread, int threads);
}  // namespace avx2

namespace {

// clang before 15 has no __builtin_cpu_supports("f16c").
bool has_f16c() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

bool runs_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

constexpr Kernels kAvx2{.name = "avx2", .multiply = avx2::multiply, .attend = avx2::attend};

}  // namespace
#endif

std::vector<const Kernels*> kernels_here() {
    std::vector<const Kernels*> found;
#ifdef HIRED_AVX512VNNI
    if (runs_avx512()) found.push_back(&kAvx512);
#endif
#ifdef HIRED_AVX2
    if (runs_avx2()) found.push_back(&kAvx2);
#endif
    return found;
}

const Kernels* find_kernels(std::string_view name) {
    for (const Kernels* kernels : kernels_here()) {
        if (kernels->name == name) return kernels;
    }
    return nullptr;
}

}  // namespace hired
