#include "kernels/cpu.h"

namespace hired {

// Compiled without the kernels' flags, since it runs everywhere.
bool have_kernels() {
#ifdef HIRED_AVX512
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

}  // namespace hired
