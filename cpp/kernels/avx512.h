// Shared by the *_avx512.cpp files, which alone are compiled with AVX-512. All of it is in an anonymous
// namespace, and neither it nor they use inline functions or templates of the standard library: the linker
// may merge such copies with those of other files, which would then run AVX-512 code on any CPU.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdlib>

#if defined(__clang__)
#define HIRED_UNROLL _Pragma("unroll")
#else
#define HIRED_UNROLL _Pragma("GCC unroll 16")
#endif

namespace hired {
namespace {

[[maybe_unused]] inline int least(int a, int b) {
    return a < b ? a : b;
}

/// Lanes that are left, of 16 at most.
[[maybe_unused]] inline __mmask16 lanes(int left) {
    return left <= 0 ? 0 : left >= 16 ? 0xffff : static_cast<__mmask16>((1U << left) - 1);
}

/// A thread's memory, aligned to cache lines, kept from call to call.
class Workspace {
  public:
    Workspace() = default;
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;
    ~Workspace() { _mm_free(memory_); }

    void* bytes(std::size_t wanted) {
        if (wanted > size_) {
            _mm_free(memory_);
            memory_ = _mm_malloc(wanted, 64);
            if (!memory_) std::abort();  // ggml does the same, and nothing may be thrown through it
            size_ = wanted;
        }
        return memory_;
    }
    float* floats(std::size_t wanted) { return static_cast<float*>(bytes(wanted * sizeof(float))); }

  private:
    void* memory_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace
}  // namespace hired
