// Memory of a thread, for the files that are compiled for one instruction set; see simd.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdlib>

namespace hired {
namespace {

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
