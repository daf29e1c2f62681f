// NumPy arrays out of the core's vectors, without a copy.
#pragma once

#include <nanobind/ndarray.h>

#include <initializer_list>
#include <utility>
#include <vector>

namespace hired {

/// An array of that shape that owns the vector's numbers. The shape's product is the vector's size.
template <typename Array, typename T>
Array to_array(std::vector<T>&& numbers, std::initializer_list<std::size_t> shape) {
    auto* owned = new std::vector<T>(std::move(numbers));
    const nanobind::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return Array(owned->data(), shape, owner);
}

}  // namespace hired
