#include "engine/clip_log.h"

#include <clip-impl.h>

#include <barrier>
#include <thread>

#include "core/error.h"
#include "golden.h"

using namespace hired;

namespace {

constexpr int kTimes = 500;

/// What is said about a file that is no GGUF, over and over.
std::vector<std::string> errors_of(const std::string& path, int times) {
    std::vector<std::string> errors;
    for (int i = 0; i < times; ++i) {
        try {
            golden_encoder(path);
        } catch (const NativeError& error) {
            errors.emplace_back(error.what());
        }
    }
    return errors;
}

}  // namespace

TEST_CASE("errors are kept without the newline, and a new scope starts without") {
    ClipLog log;
    {
        const ClipLogScope scope(log);
        LOG_ERR("%s\n", "one");
        LOG_INF("%s\n", "two");
    }
    CHECK(log.last_error == "one");
    const ClipLogScope scope(log);
    CHECK(log.last_error.empty());
}

TEST_CASE("a scope inside another gives back to it") {
    ClipLog outer, inner;
    const ClipLogScope scope(outer);
    {
        const ClipLogScope nested(inner);
        LOG_ERR("inside");
    }
    LOG_ERR("outside");
    CHECK(outer.last_error == "outside");
    CHECK(inner.last_error == "inside");
}

TEST_CASE("scopes of two threads that overlap, and end in the order in which they began") {
    ClipLog of_one, of_two;
    std::barrier step(2);
    std::thread one([&] {
        const ClipLogScope scope(of_one);
        step.arrive_and_wait();
        step.arrive_and_wait();  // the other's scope is there
        LOG_ERR("one");
    });
    std::thread two([&] {
        step.arrive_and_wait();
        const ClipLogScope scope(of_two);
        step.arrive_and_wait();
        one.join();
        LOG_ERR("two");
    });
    two.join();
    CHECK(of_one.last_error == "one");
    CHECK(of_two.last_error == "two");
}

TEST_CASE("encoders in several threads get their own errors") {
    const TempFile one("no GGUF"), two("no GGUF either");
    std::vector<std::string> of_one, of_two;
    std::thread first([&] { of_one = errors_of(one.path(), kTimes); });
    std::thread second([&] { of_two = errors_of(two.path(), kTimes); });
    VisionModel model = golden_encoder();
    const Floats expected = model.encode(pixels_for(model, 1), 1, {}, false).projected;
    for (int i = 0; i < 20; ++i) {
        CHECK(model.encode(pixels_for(model, 1), 1, {}, false).projected == expected);
    }
    first.join();
    second.join();
    const auto text_of = [](const std::string& path) {
        return "[vision] " + path + " was not loaded: clip_init: failed to load model '" + path +
               "': clip_model_loader: failed to load CLIP model from " + path + ". Does this file exist?";
    };
    CHECK(of_one == std::vector<std::string>(kTimes, text_of(one.path())));
    CHECK(of_two == std::vector<std::string>(kTimes, text_of(two.path())));
}
