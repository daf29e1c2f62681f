#include "engine/q4_device.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "core/error.h"
#include "engine/backend.h"
#include "engine/language.h"
#include "golden.h"
#include "kernels/kernels.h"

using namespace hired;

namespace {

bool starved = false;  // whether aligned memory, which the device asks for alone, has run out

}  // namespace

void* operator new(std::size_t size, std::align_val_t line) {
    const auto alignment = static_cast<std::size_t>(line);
    const std::size_t whole = (size + alignment - 1) / alignment * alignment;
    void* memory = starved ? nullptr : std::aligned_alloc(alignment, whole);
    if (!memory) throw std::bad_alloc();
    return memory;
}

void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc,cppcoreguidelines-owning-memory)
}

namespace {

bool is_offered() {
    return std::ranges::count(list_devices(), "HIRED_Q4", &Device::name) == 1;
}

/// The golden language model with its matrices in Q4_0.
struct Quantised : TempFile {
    Quantised() {
        llama_model_quantize_params params = llama_model_quantize_default_params();
        params.ftype = LLAMA_FTYPE_MOSTLY_Q4_0;
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

Floats logits_of(Language& language, const Interrupt& interrupt = nullptr) {
    eval_rows(language.ctx.get(), random_floats(30 * 128, 1), 128, 0, 64, interrupt);
    return language.logits();
}

}  // namespace

TEST_CASE("offers are counted") {
    CHECK_FALSE(is_offered());
    offer_q4_device();
    offer_q4_device();
    CHECK(is_offered());
    withdraw_q4_device();
    CHECK(is_offered());
    withdraw_q4_device();
    CHECK_FALSE(is_offered());
}

TEST_CASE("a model that was loaded meanwhile uses the device, and goes on after it is withdrawn") {
    if (!find_kernels("avx512")) {
        MESSAGE("no AVX-512 here: the device is not tested");
        return;
    }
    const Quantised file;
    Language plain(file.path());
    const Log log;
    offer_q4_device();
    Language ours(file.path());
    withdraw_q4_device();
    CHECK(log.said().find("HIRED_Q4 model buffer size") != std::string::npos);
    const Floats expected = logits_of(plain), found = logits_of(ours);
    const float largest = *std::ranges::max_element(expected);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(found[i] == doctest::Approx(expected[i]).epsilon(0.02).scale(largest));
    }
}

TEST_CASE("an interrupt reaches the device") {
    if (!find_kernels("avx512")) return;
    const Quantised file;
    offer_q4_device();
    Language language(file.path());
    withdraw_q4_device();
    CHECK_THROWS_AS(logits_of(language, [] { return true; }), Interrupted);
    CHECK(language.last() == -1);
    CHECK(logits_of(language).size() == 320);
}

TEST_CASE("memory that runs out in the device is an error of llama.cpp, and no exception in its C code") {
    if (!find_kernels("avx512")) return;
    const Quantised file;
    offer_q4_device();
    Language language(file.path());
    withdraw_q4_device();
    starved = true;
    CHECK_THROWS_AS(logits_of(language), NativeError);
    starved = false;
    CHECK(language.last() == -1);
    CHECK(logits_of(language).size() == 320);
}
