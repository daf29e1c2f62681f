// Owners for the C handles that the engine makes. No free() call stands anywhere else.
#pragma once

#include <clip.h>

#include <memory>

namespace hired {

struct ClipDeleter {
    void operator()(clip_ctx* ctx) const { clip_free(ctx); }
};
using ClipPtr = std::unique_ptr<clip_ctx, ClipDeleter>;

}  // namespace hired
