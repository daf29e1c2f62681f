// Long native work from Python: without the GIL, and Ctrl-C stops it. The one binding header with logic.
#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <memory>
#include <utility>

#include "core/error.h"
#include "engine/interrupt.h"

namespace hired {

/// Asking takes the GIL, which a busy Python thread gives away every 5 ms only.
inline constexpr std::chrono::milliseconds kPollEvery{50};

/// work(interrupt) without the GIL; Ctrl-C in the calling thread stops it and is raised as usual. Until then
/// the exception is kept here: llama.cpp's log may be a Python function, which must not start with one set.
template <typename Work>
auto interruptible(Work work) {
    using Clock = std::chrono::steady_clock;
    std::unique_ptr<nanobind::python_error> raised;
    const Interrupt pressed = [&raised, next = Clock::now()]() mutable {
        if (raised) return true;
        if (Clock::now() < next) return false;
        nanobind::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) raised = std::make_unique<nanobind::python_error>();
        next = Clock::now() + kPollEvery;
        return raised != nullptr;
    };
    try {
        nanobind::gil_scoped_release release;
        return work(pressed);
    } catch (const Interrupted&) {
        if (raised) throw std::move(*raised);
        throw;
    }
}

}  // namespace hired
