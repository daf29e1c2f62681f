#include "engine/interrupt.h"

#include <doctest/doctest.h>

using namespace hired;

namespace {

struct Installed {
    AbortCallback callback = nullptr;
    void* user = nullptr;
    int sets = 0;

    InterruptScope::Setter setter() {
        return [this](AbortCallback now, void* with) {
            callback = now;
            user = with;
            ++sets;
        };
    }
};

}  // namespace

TEST_CASE("the interrupt is the abort callback while the scope lives") {
    Installed installed;
    bool pressed = false;
    {
        const InterruptScope scope(installed.setter(), [&] { return pressed; });
        REQUIRE(bool{installed.callback != nullptr});
        CHECK_FALSE(installed.callback(installed.user));
        pressed = true;
        CHECK(installed.callback(installed.user));
    }
    CHECK(bool{installed.callback == nullptr});
    CHECK(installed.sets == 2);
}

TEST_CASE("without an interrupt, whatever is there stays") {
    Installed installed;
    {
        const InterruptScope scope(installed.setter(), nullptr);
    }
    CHECK(installed.sets == 0);
}
