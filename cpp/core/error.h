// Errors thrown on purpose. Each text names the operation, the value and what is allowed:
// "[budget] 3000 tokens exceed the 2880 there are".
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace hired {

struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A token budget, alpha, allocation or newline rule outside what is allowed.
struct BudgetError : Error {
    using Error::Error;
};

/// An argument or array of the wrong size, shape or range.
struct InputError : Error {
    using Error::Error;
};

/// NaN or infinity where finite numbers are required.
struct NumericError : Error {
    using Error::Error;
};

/// A ggml, clip or llama call failed.
struct NativeError : Error {
    using Error::Error;
};

/// Long work was stopped at the caller's wish.
struct Interrupted : Error {
    using Error::Error;
};

/// The parts, streamed one after another.
template <typename... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

}  // namespace hired
