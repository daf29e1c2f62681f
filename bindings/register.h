#pragma once

#include <nanobind/nanobind.h>

namespace hired {

void register_errors(nanobind::module_& m);
void register_core(nanobind::module_& m);
void register_engine(nanobind::module_& m);

}  // namespace hired
