// All that crosses into Python, one register function a file.
#include <nanobind/nanobind.h>

#include "register.h"

NB_MODULE(_core, m) {
    m.doc() = "Native core of hired-gguf: tiling, budgets, selection, the vision encoder, prefill.";
    m.attr("LLAMA_CPP_PYTHON") = HIRED_LLAMA_CPP_PYTHON;
    m.def(
        "hide_leaks", [] { nanobind::set_leak_warnings(false); },
        "Say nothing at exit of what was not given back: for daemon threads, which keep what they hold.");
    hired::register_errors(m);
    hired::register_core(m);
    hired::register_engine(m);
}
