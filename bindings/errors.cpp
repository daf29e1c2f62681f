// C++ errors become the Python classes of hired_gguf.errors that have the same names.
#include "core/error.h"
#include "register.h"

namespace nb = nanobind;

namespace hired {
namespace {

void set_python_error(const char* name, const Error& error) {
    const nb::object type = nb::module_::import_("hired_gguf.errors").attr(name);
    PyErr_SetString(type.ptr(), error.what());
}

void translate(const std::exception_ptr& raised, void*) {
    try {
        std::rethrow_exception(raised);
    } catch (const BudgetError& error) {
        set_python_error("BudgetError", error);
    } catch (const InputError& error) {
        set_python_error("InputError", error);
    } catch (const NumericError& error) {
        set_python_error("NumericError", error);
    } catch (const NativeError& error) {
        set_python_error("NativeError", error);
    } catch (const Error& error) {
        set_python_error("HiredError", error);
    }
}

}  // namespace

void register_errors(nb::module_&) {
    nb::register_exception_translator(translate);
}

}  // namespace hired
