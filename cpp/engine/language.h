// Rows into a language model's context: the one llama_context that llama_cpp.Llama owns.
#pragma once

#include <span>

#include "engine/interrupt.h"

struct llama_context;

namespace hired {

/// Evaluates rows [n, width] at positions n_past .. n_past + n - 1 of sequence 0, n_batch rows a call. With
/// `logits` the last row gets them, the others get none. Everything is checked before the first native call:
/// llama.cpp aborts on a batch that is too large and reads past the end of rows that are too narrow. On an
/// error or interrupt, what was evaluated is removed. With an interrupt, the context has no abort callback
/// afterwards, see InterruptScope.
/// Throws InputError (no context, shape, positions), NumericError (non-finite rows), NativeError,
/// Interrupted.
void eval_rows(llama_context* ctx, std::span<const float> rows, int width, int n_past, int n_batch,
               bool logits = false, const Interrupt& interrupt = nullptr);

}  // namespace hired
