// The tiny pair of tests/golden, copies of it that are damaged, and random inputs.
#pragma once

#include <doctest/doctest.h>
#include <llama.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/vision.h"

using Floats = std::vector<float>;

inline std::string golden(const char* name) {
    return std::string(HIRED_GOLDEN) + "/" + name;
}

inline std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in.good());
    return {std::istreambuf_iterator<char>(in), {}};
}

/// A file of the test's own, gone at the end.
class TempFile {
  public:
    explicit TempFile(const std::string& content = "")
        : path_((std::filesystem::temp_directory_path() / ("hired-" + std::to_string(std::random_device{}())))
                    .string()) {
        std::ofstream(path_, std::ios::binary) << content;
    }
    ~TempFile() { std::filesystem::remove(path_); }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;

    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

inline Floats random_floats(std::size_t n, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    Floats values(n);
    for (float& v : values) v = normal(random);
    return values;
}

/// One thread and ggml's own operations: other tests compare the kernels.
inline hired::VisionModel golden_encoder(const std::string& path = golden("mmproj-f32.gguf")) {
    return {path, {.n_threads = 1, .kernels = ""}};
}

inline Floats pixels_for(const hired::VisionModel& model, int partitions, unsigned seed = 1) {
    return random_floats(std::size_t{3} * partitions * model.tile() * model.tile(), seed);
}

/// A language model with an empty context of 256 tokens, 64 a batch.
struct Language {
    std::unique_ptr<llama_model, decltype(&llama_model_free)> model{nullptr, llama_model_free};
    std::unique_ptr<llama_context, decltype(&llama_free)> ctx{nullptr, llama_free};

    explicit Language(const std::string& path = golden("text-f32.gguf")) {
        model.reset(llama_model_load_from_file(path.c_str(), llama_model_default_params()));
        REQUIRE(model);
        llama_context_params params = llama_context_default_params();
        params.n_ctx = 256;
        params.n_batch = 64;
        params.n_threads = 1;
        params.n_threads_batch = 1;
        ctx.reset(llama_init_from_model(model.get(), params));
        REQUIRE(ctx);
    }

    int width() const { return llama_model_n_embd_inp(model.get()); }

    /// The last position that is filled, -1 if none is.
    int last() const { return llama_memory_seq_pos_max(llama_get_memory(ctx.get()), 0); }

    /// Of one more token after all that is there.
    Floats logits() {
        llama_token token = 5;
        REQUIRE(llama_decode(ctx.get(), llama_batch_get_one(&token, 1)) == 0);
        const float* row = llama_get_logits_ith(ctx.get(), -1);
        return {row, row + llama_vocab_n_tokens(llama_model_get_vocab(model.get()))};
    }
};
