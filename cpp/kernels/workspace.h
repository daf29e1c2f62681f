// Shared by the files that are compiled for one kind of CPU each. All of it is in an anonymous namespace, and
// neither it nor they use inline functions or templates of the standard library: the linker may merge such
// copies with those of other files, which would then run code that the CPU does not have.
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

/// To the L1 cache. Any address may be given.
[[maybe_unused]] inline void prefetch(const void* p) {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
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
