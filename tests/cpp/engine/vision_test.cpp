#include "engine/vision.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "core/error.h"
#include "golden.h"
#include "kernels/kernels.h"

using namespace hired;

namespace {

bool all_finite(const Floats& values) {
    return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
}

/// By how much the rows of a softmax miss 1.
float softmax_error(const Floats& rows, std::size_t length) {
    float worst = 0;
    for (std::size_t at = 0; at < rows.size(); at += length) {
        float sum = 0;
        for (const float v : std::span(rows).subspan(at, length)) sum += v;
        worst = std::max(worst, std::abs(sum - 1));
    }
    return worst;
}

std::string replaced(std::string bytes, const std::string& from, const std::string& to) {
    REQUIRE(from.size() == to.size());
    const std::size_t at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    return bytes.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("the golden encoder tells its sizes") {
    const VisionModel model = golden_encoder();
    CHECK(model.tile() == 56);
    CHECK(model.tokens() == 16);
    CHECK(model.width() == 128);
    CHECK(model.text_width() == 128);
    CHECK(model.heads() == 4);
    CHECK(model.layers() == 3);
    CHECK(model.device() == "CPU");
    CHECK(model.image_newline().size() == 128);
}

TEST_CASE("attention, features and rows have their shapes, whatever computes them") {
    for (const char* kernels : {"", find_kernels("avx512") ? "avx512" : ""}) {
        for (const char* flash : {"on", "off", "auto"}) {
            VisionModel model(golden("mmproj-f32.gguf"),
                              {.n_threads = 2, .flash_attention = flash, .kernels = kernels});
            const Encoded e = model.encode(pixels_for(model, 9), 9, {0, 2}, true);
            REQUIRE(e.attention.size() == 2);
            for (const Floats& layer : e.attention) {
                CHECK(layer.size() == 9 * 4 * 17);
                CHECK(softmax_error(layer, 17) < 1e-5);
            }
            CHECK(e.features.size() == 9 * 16 * 128);
            CHECK(all_finite(e.features));
            CHECK(e.projected.size() == 9 * 16 * 128);
            CHECK(all_finite(e.projected));
        }
    }
}

TEST_CASE("fewer layers than the file holds: the features of that depth") {
    VisionModel whole = golden_encoder();
    VisionModel two(golden("mmproj-f32.gguf"), {.n_threads = 1, .kernels = "", .layers = 2});
    CHECK(two.layers() == 2);
    const Floats pixels = pixels_for(whole, 1);
    const Encoded a = whole.encode(pixels, 1, {0, 1}, true), b = two.encode(pixels, 1, {0, 1}, true);
    CHECK(a.attention == b.attention);
    CHECK(a.features != b.features);
    CHECK_THROWS_WITH_AS(two.encode(pixels, 1, {2}, false), "[vision] attention layer 2; allowed: 0 to 1",
                         InputError);
    for (const int layers : {-1, 4}) {
        CHECK_THROWS_AS(VisionModel(golden("mmproj-f32.gguf"), {.n_threads = 1, .layers = layers}),
                        InputError);
    }
}

TEST_CASE("what is not asked for is empty") {
    VisionModel model = golden_encoder();
    const Encoded e = model.encode(pixels_for(model, 1), 1, {}, false);
    CHECK(e.attention.empty());
    CHECK(e.features.empty());
    CHECK(e.projected.size() == 16 * 128);
}

TEST_CASE("pixels and layers that are not allowed") {
    VisionModel model = golden_encoder();
    const Floats pixels = pixels_for(model, 1);
    CHECK_THROWS_WITH_AS(model.encode(pixels, 2, {}, false),
                         "[vision] 9408 pixel values for 2 partitions of 9408", InputError);
    CHECK_THROWS_WITH_AS(model.encode(pixels, 0, {}, false),
                         "[vision] 9408 pixel values for 0 partitions of 9408", InputError);
    CHECK_THROWS_WITH_AS(model.encode(pixels, 1, {3}, false), "[vision] attention layer 3; allowed: 0 to 2",
                         InputError);
}

TEST_CASE("NaN in gives an error, and the next picture is fine") {
    VisionModel model = golden_encoder();
    Floats pixels = pixels_for(model, 1);
    const float first = pixels[0];
    pixels[0] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS(model.encode(pixels, 1, {}, false), NumericError);
    pixels[0] = first;
    CHECK(all_finite(model.encode(pixels, 1, {}, false).projected));
}

TEST_CASE("an interrupt ends encoding wherever it comes, and leaves nothing behind") {
    VisionModel model = golden_encoder();
    const Floats pixels = pixels_for(model, 9);
    const Floats expected = model.encode(pixels, 9, {}, false).projected;
    int polls = 0;
    CHECK(model.encode(pixels, 9, {}, false, [&] { return ++polls < 0; }).projected == expected);
    REQUIRE(polls > 100);
    for (const int last : {1, 2, polls / 2, polls}) {
        int polled = 0;
        CHECK_THROWS_WITH_AS(model.encode(pixels, 9, {}, false, [&] { return ++polled >= last; }),
                             "[vision] encoding was interrupted", Interrupted);
        CHECK(model.encode(pixels, 9, {}, false).projected == expected);
    }
}

TEST_CASE("a file that is not there, and options that are not allowed") {
    CHECK_THROWS_WITH_AS(golden_encoder("/nowhere/x.gguf"),
                         doctest::Contains("/nowhere/x.gguf was not loaded: clip_init: failed to load model"),
                         NativeError);
    CHECK_THROWS_WITH_AS(VisionModel(golden("mmproj-f32.gguf"), {.flash_attention = "maybe"}),
                         "[vision] flash_attention 'maybe'; allowed: auto, on, off", InputError);
}

TEST_CASE("a file that ends early is an error, wherever its header ends") {
    const std::string whole = read_file(golden("mmproj-f32.gguf"));
    for (std::size_t size = 0; size < 4096; size += 97) {
        const TempFile damaged(whole.substr(0, size));
        CAPTURE(size);
        CHECK_THROWS_AS(golden_encoder(damaged.path()), NativeError);
    }
}

TEST_CASE("a tensor that is missing is named") {
    const std::string whole = read_file(golden("mmproj-f32.gguf"));
    const TempFile inside(replaced(whole, "v.blk.1.attn_q.bias", "v.blk.1.attn_q.BIAS"));
    CHECK_THROWS_WITH_AS(golden_encoder(inside.path()), "[vision] tensor 'v.blk.1.attn_q.bias' is missing",
                         NativeError);
    const TempFile outside(replaced(whole, "mm.2.bias", "mm.2.BIAS"));
    CHECK_THROWS_WITH_AS(golden_encoder(outside.path()), "[vision] tensor 'mm.2.bias' is missing",
                         NativeError);
}

TEST_CASE("a newline row of no number's type is named") {
    const std::string name = "model.image_newline";
    std::string bytes = read_file(golden("mmproj-f32.gguf"));
    const std::size_t at = bytes.find(name) + name.size() + 4 + 8;  // its number of axes, and the one axis
    const std::uint32_t type = GGML_TYPE_I32;
    std::memcpy(bytes.data() + at, &type, sizeof(type));
    const TempFile damaged(bytes);
    CHECK_THROWS_WITH_AS(golden_encoder(damaged.path()).image_newline(),
                         "[vision] tensor 'model.image_newline' has type i32", NativeError);
}
