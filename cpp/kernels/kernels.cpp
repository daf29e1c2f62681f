#include "kernels/kernels.h"

#ifdef HIRED_AVX2
#include <cpuid.h>
#endif

// Compiled without the kernels' flags, since it runs everywhere.

namespace hired {

#define HIRED_FLOAT_KERNELS(kind)                                     \
    namespace kind {                                                  \
    void multiply(const Product& product, int thread, int threads);   \
    void attend(const Attention& attention, int thread, int threads); \
    }
#define HIRED_QUANTIZED_KERNELS(kind)                                              \
    namespace kind {                                                               \
    std::size_t quantized_bytes(QuantizedType type, int rows, int depth);          \
    void quantize(const QuantizedProduct& product, int thread, int threads);       \
    void multiply_quantized(const QuantizedProduct& product, int first, int last); \
    }

HIRED_FLOAT_KERNELS(avx2)
HIRED_FLOAT_KERNELS(avx512)
HIRED_QUANTIZED_KERNELS(avx2)
HIRED_QUANTIZED_KERNELS(avxvnni)
HIRED_QUANTIZED_KERNELS(avx512)

namespace {

#ifdef HIRED_AVX2
// clang before 15 has no __builtin_cpu_supports("f16c").
bool has_f16c() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

bool runs_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

constexpr Kernels kAvx2{.name = "avx2",
                        .multiply = avx2::multiply,
                        .attend = avx2::attend,
                        .quantized_bytes = avx2::quantized_bytes,
                        .quantize = avx2::quantize,
                        .multiply_quantized = avx2::multiply_quantized};
#endif

#ifdef HIRED_AVXVNNI
constexpr Kernels kAvxVnni{.name = "avxvnni",
                           .multiply = avx2::multiply,
                           .attend = avx2::attend,
                           .quantized_bytes = avxvnni::quantized_bytes,
                           .quantize = avxvnni::quantize,
                           .multiply_quantized = avxvnni::multiply_quantized};
#endif

#ifdef HIRED_AVX512VNNI
bool runs_avx512() {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

constexpr Kernels kAvx512{.name = "avx512",
                          .multiply = avx512::multiply,
                          .attend = avx512::attend,
                          .quantized_bytes = avx512::quantized_bytes,
                          .quantize = avx512::quantize,
                          .multiply_quantized = avx512::multiply_quantized};
#endif

}  // namespace

std::vector<const Kernels*> kernels_here() {
    std::vector<const Kernels*> found;
#ifdef HIRED_AVX512VNNI
    if (runs_avx512()) found.push_back(&kAvx512);
#endif
#ifdef HIRED_AVXVNNI
    if (runs_avx2() && __builtin_cpu_supports("avxvnni")) found.push_back(&kAvxVnni);
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
