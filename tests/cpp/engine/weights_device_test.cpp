#include "engine/weights_device.h"

#include <algorithm>

#include "core/error.h"
#include "engine/backend.h"
#include "engine/language.h"
#include "golden.h"
#include "kernels/kernels.h"

using namespace hired;

namespace {

bool is_offered() {
    return std::ranges::count(list_devices(), "HIRED", &Device::name) == 1;
}

/// The golden language model with its matrices quantised.
struct Quantised : TempFile {
    explicit Quantised(llama_ftype type) {
        llama_model_quantize_params params = llama_model_quantize_default_params();
        params.ftype = type;
        params.nthread = 1;
        REQUIRE(llama_model_quantize(golden("text-f32.gguf").c_str(), path().c_str(), &params) == 0);
    }
};

/// What llama.cpp logs while it lives.
class Log {
  public:
    Log() {
        llama_log_get(&callback_, &user_);
        llama_log_set(
            [](ggml_log_level, const char* said, void* all) { *static_cast<std::string*>(all) += said; },
            &said_);
    }
    ~Log() { llama_log_set(callback_, user_); }
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    const std::string& said() const { return said_; }

  private:
    std::string said_;
    ggml_log_callback callback_ = nullptr;
    void* user_ = nullptr;
};

/// A language model that was loaded while kernels were offered.
struct Offered {
    Language language;

    Offered(const Kernels& kernels, const std::string& path) : language(load(kernels, path)) {}

  private:
    static Language load(const Kernels& kernels, const std::string& path) {
        offer_kernels(kernels);
        Language loaded(path);
        withdraw_kernels(kernels);
        return loaded;
    }
};

Floats logits_of(Language& language, const Interrupt& interrupt = nullptr) {
    eval_rows(language.ctx.get(), random_floats(30 * 128, 1), 128, 0, 64, false, interrupt);
    return language.logits();
}

}  // namespace

TEST_CASE("offers are counted") {
    for (const Kernels* kernels : kernels_here()) {
        CHECK_FALSE(is_offered());
        offer_kernels(*kernels);
        offer_kernels(*kernels);
        CHECK(is_offered());
        withdraw_kernels(*kernels);
        CHECK(is_offered());
        withdraw_kernels(*kernels);
        CHECK_FALSE(is_offered());
    }
}

TEST_CASE("a model that was loaded meanwhile uses the kernels, and goes on after they are withdrawn") {
    for (const auto type : {LLAMA_FTYPE_MOSTLY_Q4_0, LLAMA_FTYPE_MOSTLY_Q5_0, LLAMA_FTYPE_MOSTLY_Q8_0}) {
        const Quantised file(type);
        Language plain(file.path());
        const Floats expected = logits_of(plain);
        const float largest = *std::ranges::max_element(expected);
        for (const Kernels* kernels : kernels_here()) {
            CAPTURE(kernels->name);
            const Log log;
            Offered ours(*kernels, file.path());
            CHECK(log.said().find("HIRED model buffer size") != std::string::npos);
            const Floats found = logits_of(ours.language);
            for (std::size_t i = 0; i < expected.size(); ++i) {
                CHECK(found[i] == doctest::Approx(expected[i]).epsilon(0.02).scale(largest));
            }
        }
    }
}

TEST_CASE("a model that is loaded afterwards does not") {
    for (const Kernels* kernels : kernels_here()) {
        const Quantised file(LLAMA_FTYPE_MOSTLY_Q4_0);
        const Offered ours(*kernels, file.path());
        const Log log;
        const Language plain(file.path());
        CHECK(log.said().find("HIRED") == std::string::npos);
    }
}

TEST_CASE("an interrupt stops their work too") {
    for (const Kernels* kernels : kernels_here()) {
        const Quantised file(LLAMA_FTYPE_MOSTLY_Q4_0);
        Offered ours(*kernels, file.path());
        CHECK_THROWS_AS(logits_of(ours.language, [] { return true; }), Interrupted);
        CHECK(ours.language.last() == -1);
        CHECK(logits_of(ours.language).size() == 320);
    }
}
