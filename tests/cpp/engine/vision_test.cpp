#include "engine/vision.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
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

std::vector<int> ids_of(int first, int end) {
    std::vector<int> ids(end - first);
    std::iota(ids.begin(), ids.end(), first);
    return ids;
}

Floats rows_at(const Floats& rows, const std::vector<int>& ids, std::size_t width) {
    Floats found;
    for (const int id : ids) {
        const float* row = &rows[id * width];
        found.insert(found.end(), row, row + width);
    }
    return found;
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

TEST_CASE("in two steps every row has the bits that it has in one, whatever else is kept") {
    for (const char* kernels :
         {"", find_kernels("avx512") ? "avx512" : "", find_kernels("avx2") ? "avx2" : ""}) {
        for (const char* flash : {"on", "off"}) {
            for (const int layers : {0, 1}) {
                VisionModel model(
                    golden("mmproj-f32.gguf"),
                    {.n_threads = 2, .flash_attention = flash, .kernels = kernels, .layers = layers});
                const Floats pixels = pixels_for(model, 10);
                const std::vector<int> ends = {0, model.layers() - 1};
                const Encoded e = model.encode(pixels, 10, ends, false);
                const Begun begun = model.begin(pixels, 10, ends);
                CHECK(begun.attention == e.attention);
                REQUIRE(begun.hidden.size() == 10 * 17 * 128);
                CHECK(model.finish(begun.hidden, 10, ids_of(0, 160)) == e.projected);
                for (const auto& ids : std::vector<std::vector<int>>{
                         {0}, {159}, {3, 17, 18, 19}, {40, 41, 127, 128, 150}, ids_of(8, 100)}) {
                    CHECK(model.finish(begun.hidden, 10, ids) == rows_at(e.projected, ids, 128));
                }
                const Begun alone = model.begin(std::span(pixels).last(3UL * 56 * 56), 1, ends);
                CHECK(alone.hidden == Floats(begun.hidden.end() - 17 * 128, begun.hidden.end()));
                for (std::size_t i = 0; i < ends.size(); ++i) {
                    CHECK(alone.attention[i] == Floats(e.attention[i].end() - 4 * 17, e.attention[i].end()));
                }
                CHECK(model.finish(alone.hidden, 1, std::vector<int>{5}) == rows_at(e.projected, {149}, 128));
            }
        }
    }
}

TEST_CASE("hidden states and ids that are not allowed") {
    VisionModel model = golden_encoder();
    const Floats hidden = model.begin(pixels_for(model, 1), 1, {}).hidden;
    const auto finish = [&](int partitions, const std::vector<int>& ids) {
        return model.finish(hidden, partitions, ids);
    };
    CHECK_THROWS_WITH_AS(finish(2, {0}), "[vision] 2176 hidden values for 2 partitions of 2176", InputError);
    CHECK_THROWS_WITH_AS(finish(0, {0}), "[vision] 2176 hidden values for 0 partitions of 2176", InputError);
    CHECK_THROWS_WITH_AS(finish(1, {}), "[vision] there are no ids; at least one is needed", InputError);
    for (const auto& ids : std::vector<std::vector<int>>{{-1}, {16}, {3, 3}, {3, 2}}) {
        CHECK_THROWS_WITH_AS(finish(1, ids), doctest::Contains("; ids ascend from 0 to at most 15"),
                             InputError);
    }
    CHECK_THROWS_WITH_AS(model.begin(pixels_for(model, 1), 2, {}),
                         "[vision] 9408 pixel values for 2 partitions of 9408", InputError);
    CHECK_THROWS_WITH_AS(model.begin(pixels_for(model, 1), 1, {3}),
                         "[vision] attention layer 3; allowed: 0 to 2", InputError);
    CHECK(finish(1, {0}).size() == 128);
}

TEST_CASE("NaN in either step gives an error, and the next picture is fine") {
    VisionModel model = golden_encoder();
    Floats pixels = pixels_for(model, 1);
    Floats hidden = model.begin(pixels, 1, {}).hidden;
    const Floats right = model.finish(hidden, 1, std::vector<int>{1, 2});
    hidden.back() = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS(model.finish(hidden, 1, std::vector<int>{1, 2}), NumericError);
    const float first = pixels[0];
    pixels[0] = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(model.begin(pixels, 1, {}), NumericError);
    pixels[0] = first;
    CHECK(model.finish(model.begin(pixels, 1, {}).hidden, 1, std::vector<int>{1, 2}) == right);
}

TEST_CASE("an interrupt ends either step wherever it comes, and leaves nothing behind") {
    VisionModel model = golden_encoder();
    const Floats pixels = pixels_for(model, 9);
    const Floats hidden = model.begin(pixels, 9, {0}).hidden;
    const std::vector<int> ids = ids_of(0, 9 * 16);
    const Floats rows = model.finish(hidden, 9, ids);
    const std::vector<std::function<Floats(const Interrupt&)>> steps = {
        [&](const Interrupt& pressed) { return model.begin(pixels, 9, {0}, pressed).hidden; },
        [&](const Interrupt& pressed) { return model.finish(hidden, 9, ids, pressed); }};
    for (const auto& step : steps) {
        int polls = 0;
        const Floats expected = step([&] { return ++polls < 0; });
        CHECK((expected == hidden || expected == rows));
        REQUIRE(polls > 20);
        for (const int last : {1, 2, polls / 2, polls}) {
            int polled = 0;
            CHECK_THROWS_WITH_AS(step([&] { return ++polled >= last; }), "[vision] encoding was interrupted",
                                 Interrupted);
            CHECK(step(nullptr) == expected);
        }
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
