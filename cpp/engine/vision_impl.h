// What a VisionModel holds; for vision*.cpp only, since it shows clip's private headers.
#pragma once

#include "engine/clip_llava.h"
#include "engine/clip_log.h"
#include "engine/handles.h"
#include "engine/vision.h"

namespace hired {

struct VisionModel::Impl {
    ClipLog log;
    ClipPtr ctx;
    int n_threads;
    int layers;
    const Kernels* kernels;

    const clip_model& model() const { return clip_model_of(ctx.get()); }
    const clip_hparams& hparams() const { return model().hparams; }

    /// The wishes with all that was wished for, of every partition.
    ClipRequest run(std::span<const float> pixels, int partitions, ClipRequest wishes,
                    const Interrupt& interrupt);
    /// Throws unless `done`, which a native call returned.
    void require(bool done, const Interrupt& interrupt) const;
    InterruptScope stops_by(const Interrupt& interrupt) const;
};

}  // namespace hired
