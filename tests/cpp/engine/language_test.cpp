#include "engine/language.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/error.h"
#include "engine/token_rows.h"
#include "golden.h"

using namespace hired;

namespace {

float largest_difference(const Floats& a, const Floats& b) {
    REQUIRE(a.size() == b.size());
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
    return worst;
}

Floats logits_after(const Floats& rows, int n_batch) {
    Language language;
    eval_rows(language.ctx.get(), rows, language.width(), 0, n_batch);
    return language.logits();
}

}  // namespace

TEST_CASE("rows fill positions, and come after what is there") {
    Language language;
    const Floats rows = random_floats(std::size_t{20} * language.width(), 1);
    eval_rows(language.ctx.get(), rows, language.width(), 0, 64);
    CHECK(language.last() == 19);
    eval_rows(language.ctx.get(), rows, language.width(), 20, 7);
    CHECK(language.last() == 39);
    eval_rows(language.ctx.get(), rows, language.width(), 10, 64);  // in place of what came later
    CHECK(language.last() == 29);
}

TEST_CASE("batches do not matter") {
    const Floats rows = random_floats(50 * 128, 2);
    const Floats expected = logits_after(rows, 64);
    for (const int n_batch : {1, 7, 50}) {
        CHECK(largest_difference(logits_after(rows, n_batch), expected) < 1e-3F);
    }
}

TEST_CASE("the last row alone gets logits, and only if they are asked for") {
    const Floats rows = random_floats(std::size_t{30} * 128, 7);
    for (const int n_batch : {7, 30}) {
        Language language;
        llama_context* ctx = language.ctx.get();
        eval_rows(ctx, rows, 128, 0, n_batch, true);
        const float* last = llama_get_logits_ith(ctx, -1);
        REQUIRE(last);
        CHECK(std::ranges::all_of(Floats(last, last + 320), [](float v) { return std::isfinite(v); }));
        CHECK(last == llama_get_logits_ith(ctx, 30 % n_batch == 0 ? n_batch - 1 : 30 % n_batch - 1));
        eval_rows(ctx, rows, 128, 30, n_batch);
        CHECK_FALSE(llama_get_logits_ith(ctx, -1));
    }
}

TEST_CASE("rows of the token table are the tokens") {
    Language language;
    llama_context* ctx = language.ctx.get();
    const std::vector<llama_token> tokens{1, 143, 155, 227};
    const std::string file = read_file(golden("text-f32.gguf"));
    constexpr std::size_t kTable = 8768, kRow = 512;  // of token_embd.weight, in that file
    std::string bytes;
    for (const llama_token token : tokens) bytes += file.substr(kTable + kRow * token, kRow);
    const Floats rows =
        dequantize_rows("F32", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, kRow);
    eval_rows(ctx, rows, 128, 0, 64, true);
    const float* found = llama_get_logits_ith(ctx, -1);
    const Floats as_rows(found, found + 320);
    llama_memory_clear(llama_get_memory(ctx), true);
    std::vector<llama_token> copy = tokens;
    REQUIRE(llama_decode(ctx, llama_batch_get_one(copy.data(), 4)) == 0);
    const float* right = llama_get_logits_ith(ctx, -1);
    CHECK(largest_difference(as_rows, Floats(right, right + 320)) < 1e-3F);
}

TEST_CASE("rows, positions and batches that are not allowed evaluate nothing") {
    Language language;
    llama_context* ctx = language.ctx.get();
    const Floats rows = random_floats(10 * 128, 3);
    const int n_ctx = static_cast<int>(llama_n_ctx(ctx));
    CHECK_THROWS_WITH_AS(eval_rows(nullptr, rows, 128, 0, 64),
                         "[prefill] context is 0; the address of a llama_context is needed", InputError);
    CHECK_THROWS_WITH_AS(eval_rows(ctx, rows, 64, 0, 64),
                         "[prefill] rows are 64 wide, the language model takes 128", InputError);
    CHECK_THROWS_WITH_AS(eval_rows(ctx, rows, 128, 250, 64),
                         "[prefill] rows at positions 250 to 259 in a context of 256", InputError);
    CHECK_THROWS_WITH_AS(eval_rows(ctx, rows, 128, -1, 64),
                         "[prefill] rows at positions -1 to 8 in a context of 256", InputError);
    CHECK_THROWS_WITH_AS(eval_rows(ctx, rows, 128, 0, 65), "[prefill] n_batch 65; allowed: 1 to 64",
                         InputError);
    CHECK_THROWS_WITH_AS(eval_rows(ctx, rows, 128, 0, 0), "[prefill] n_batch 0; allowed: 1 to 64",
                         InputError);
    CHECK(language.last() == -1);
    eval_rows(ctx, rows, 128, n_ctx - 10, 64);
    CHECK(language.last() == n_ctx - 1);
}

TEST_CASE("NaN and infinity are refused") {
    Language language;
    for (const float value :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        Floats rows = random_floats(10 * 128, 4);
        rows.back() = value;
        CHECK_THROWS_WITH_AS(eval_rows(language.ctx.get(), rows, 128, 0, 64),
                             "[prefill] a visual row holds NaN or infinity", NumericError);
    }
    CHECK(language.last() == -1);
}

TEST_CASE("an interrupt removes all rows, and no more") {
    Language language;
    const Floats rows = random_floats(40 * 128, 5);
    eval_rows(language.ctx.get(), rows, 128, 0, 64);
    int polls = 0;
    CHECK_THROWS_AS(eval_rows(language.ctx.get(), rows, 128, 40, 10, true, [&] { return ++polls > 30; }),
                    Interrupted);
    CHECK(language.last() == 39);
    eval_rows(language.ctx.get(), rows, 128, 40, 10);  // nobody interrupts any more
    CHECK(language.last() == 79);
}

TEST_CASE("a context's own abort callback stays where there is no interrupt") {
    Language language;
    int asked = 0;
    llama_set_abort_callback(
        language.ctx.get(), [](void* user) { return ++*static_cast<int*>(user) < 0; }, &asked);
    eval_rows(language.ctx.get(), random_floats(10 * 128, 6), 128, 0, 64);
    const int before = asked;
    CHECK(before > 0);
    language.logits();
    CHECK(asked > before);
}
