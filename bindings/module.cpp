// All that crosses into Python, one register function a file.
#include <nanobind/nanobind.h>

#include "register.h"

NB_MODULE(_core, m) {
    m.doc() = "Native core of hired-gguf: tiling, budgets, selection, the vision encoder, prefill.";
    m.attr("LLAMA_CPP_PYTHON") = HIRED_LLAMA_CPP_PYTHON;
    hired::register_errors(m);
    hired::register_core(m);
    hired::register_engine(m);
}
