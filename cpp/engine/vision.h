// The vision encoder of a LLaVA mmproj file: pixels in, projected rows and CLS attention out.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/interrupt.h"

namespace hired {

struct VisionOptions {
    std::string device = "auto";           // see find_device
    int n_threads = 0;                     // 0: one per hardware thread
    std::string flash_attention = "auto";  // "auto", "on" or "off"
    // The name of those of cpp/kernels for the CPU; empty: ggml's. GCC warns without the braces.
    std::string kernels{};  // NOLINT(readability-redundant-member-init)
    int layers = 0;         // blocks to run; 0: all, or up to clip.vision.feature_layer
    bool verbose = false;   // clip's own log to stderr
};

/// Arrays are C-contiguous float32; P partitions, N tokens each.
struct Encoded {
    std::vector<std::vector<float>> attention;  // per asked layer [P, heads, N + 1], column 0 is CLS itself
    std::vector<float> features;                // [P, N, width], before the projector; empty unless asked for
    std::vector<float> projected;               // [P, N, text_width]
};

/// The first of two steps: all that depends on pixels.
struct Begun {
    std::vector<std::vector<float>> attention;  // as in Encoded
    std::vector<float> hidden;                  // [P, N + 1, width], what the last block reads
};

class VisionModel {
  public:
    /// The file must have passed the package's own check first: clip.cpp aborts the process on a bad one.
    /// Throws NativeError with clip's message or the name of a tensor that is missing, InputError for an
    /// option.
    VisionModel(const std::string& path, const VisionOptions& options);
    ~VisionModel();

    int tile() const;        // pixels a side of a partition
    int tokens() const;      // N
    int width() const;       // of the encoder
    int text_width() const;  // of the projected rows
    int heads() const;
    int layers() const;  // executed blocks
    std::string device() const;
    /// [text_width], empty if the file has none. Throws NativeError for a type that is no number's.
    std::vector<float> image_newline() const;

    // What follows is not thread-safe, and throws InputError, NumericError (where a result is not finite),
    // NativeError, Interrupted.

    /// pixels [P, 3, tile, tile], normalised. attention_layers: 0-based executed layers.
    Encoded encode(std::span<const float> pixels, int partitions, const std::vector<int>& attention_layers,
                   bool want_features, const Interrupt& interrupt = nullptr);

    /// `encode` in two steps, so that the last block and the projector compute rows that stay, and no others:
    /// whether this file has them. Not one whose features come from several blocks.
    bool has_steps() const;
    Begun begin(std::span<const float> pixels, int partitions, const std::vector<int>& attention_layers,
                const Interrupt& interrupt = nullptr);
    /// hidden [P, N + 1, width] of `begin`; ids partition * N + token, ascending, at least one.
    /// Returns the projected rows [ids, text_width].
    std::vector<float> finish(std::span<const float> hidden, int partitions, std::span<const int> ids,
                              const Interrupt& interrupt = nullptr);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace hired
