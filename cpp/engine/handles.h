// The owner of a clip_ctx. ggml's handles have theirs in ggml-cpp.h; nothing in the engine is freed by hand.
#pragma once

#include <clip.h>

#include <memory>

namespace hired {

struct ClipDeleter {
    void operator()(clip_ctx* ctx) const { clip_free(ctx); }
};
using ClipPtr = std::unique_ptr<clip_ctx, ClipDeleter>;

}  // namespace hired
