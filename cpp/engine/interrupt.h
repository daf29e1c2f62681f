// Long native work that its caller can stop.
#pragma once

#include <functional>
#include <utility>

namespace hired {

/// Polled between operations of long native work; true means stop and throw Interrupted. It must not throw:
/// C code stands between.
using Interrupt = std::function<bool()>;

/// The abort callback of ggml and llama.cpp: true stops a graph.
using AbortCallback = bool (*)(void* user);

/// While it lives, `interrupt` is the abort callback that `set` puts in place; an empty one leaves all as it
/// is. Afterwards there is none. That forgets a callback of somebody else's, which neither library can name,
/// so that it could be put back: the encoder's backends are ours alone, and llama-cpp-python gives its
/// contexts none.
class InterruptScope {
  public:
    using Setter = std::function<void(AbortCallback, void* user)>;

    InterruptScope(Setter set, Interrupt interrupt) : set_(std::move(set)), interrupt_(std::move(interrupt)) {
        if (interrupt_) set_(poll, this);
    }
    ~InterruptScope() {
        if (interrupt_) set_(nullptr, nullptr);
    }
    InterruptScope(const InterruptScope&) = delete;
    InterruptScope& operator=(const InterruptScope&) = delete;

  private:
    static bool poll(void* self) noexcept { return static_cast<InterruptScope*>(self)->interrupt_(); }

    Setter set_;
    Interrupt interrupt_;
};

}  // namespace hired
