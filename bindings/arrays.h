// NumPy arrays out of the core's vectors, without a copy.
#pragma once

#include <nanobind/ndarray.h>

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace hired {

/// An array of that shape that owns the vector's numbers. The shape's product is the vector's size.
template <typename Array, typename T>
Array to_array(std::vector<T>&& numbers, std::initializer_list<std::size_t> shape) {
    auto owned = std::make_unique<std::vector<T>>(std::move(numbers));
    T* data = owned->data();
    const nanobind::capsule owner(owned.get(), [](void* p) noexcept {
        std::unique_ptr<std::vector<T>>(static_cast<std::vector<T>*>(p));
    });
    static_cast<void>(owned.release());  // the capsule has it now
    return Array(data, shape, owner);
}

}  // namespace hired
