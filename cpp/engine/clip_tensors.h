// The tensors that the LLaVA graph needs: clip.cpp loads a file without some of them, and a graph made of
// null pointers ends the process.
#pragma once

#include <clip-graph.h>

namespace hired {

/// Throws NativeError that names the first one that is missing, as the file should.
void require_tensors(const clip_model& model);

}  // namespace hired
