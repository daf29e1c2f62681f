// The rest of the LLaVA vision graph, for some rows only: the last block from its input on, and the
// projector.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/clip_llava.h"

namespace hired {

/// What compute_rows works on. The caller fills all but `rows`.
struct RowsRequest {
    std::span<const float> hidden;       // [partitions, tokens + 1, width], what the last block reads
    std::vector<std::vector<int>> kept;  // per partition, ascending tokens; CLS is not one
    int layers = 0;                      // as in ClipRequest
    const Kernels* kernels = nullptr;    // as in ClipRequest
    int n_threads = 1;

    std::vector<float> rows;  // [kept of all partitions, text width]
};

/// Keys and values of all rows, everything else of the kept rows only.
class RowsGraph final : public LlavaParts {
  public:
    RowsGraph(clip_ctx* ctx, const clip_image_f32& img, const RowsRequest& request);

    ggml_cgraph* build() override;

    /// Puts the request's numbers into the graph that was built.
    void set_inputs(const RowsRequest& request) const;
    /// Those of a computed graph that were asked for.
    std::vector<float> rows(const RowsRequest& request) const;

  private:
    std::vector<std::vector<std::int32_t>> rows_;  // per partition, rows of `hidden`
};

/// Builds and computes the graph. At least one row is kept. False where ggml gives up: it has no memory, or
/// the abort callback said so.
bool compute_rows(clip_ctx* ctx, RowsRequest& request);

}  // namespace hired
