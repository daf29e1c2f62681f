// The functions of a table for one instruction set, `Simd`: which loop serves a product. Included by
// quantized_*.cpp.
#pragma once

#include "kernels/quantized_few.h"
#include "kernels/quantized_panel.h"
#include "kernels/types/q3_k.h"
#include "kernels/types/q4_0.h"
#include "kernels/types/q4_k.h"
#include "kernels/types/q5_0.h"
#include "kernels/types/q5_k.h"
#include "kernels/types/q6_k.h"
#include "kernels/types/q8_0.h"
#include "kernels/workspace.h"

namespace hired {
namespace {

constexpr int kFewRows = 3;  // up to here unpacking a panel does not pay

/// Calls work with an object of the type's struct.
template <class Work>
auto with_type(QuantizedType type, const Work& work) {
    switch (type) {
        case QuantizedType::q3_k:
            return work(Q3K{});
        case QuantizedType::q4_0:
            return work(Q40{});
        case QuantizedType::q4_k:
            return work(Q4K{});
        case QuantizedType::q5_0:
            return work(Q50{});
        case QuantizedType::q5_k:
            return work(Q5K{});
        case QuantizedType::q6_k:
            return work(Q6K{});
        default:
            return work(Q80{});
    }
}

/// Bytes of a value of x where a panel is multiplied; a few rows are bytes.
template <class Simd, class Type>
constexpr int kPanelBytes = Simd::template kValueBytes<Type::kLargest>;

template <class Simd>
std::size_t bytes_of(QuantizedType type, int rows, int depth) {
    return with_type(type, [&](auto of) {
        using Type = decltype(of);

        if (rows <= kFewRows) return rows * tile_bytes<Type, 1>(depth, 1);
        return (rows + Simd::kRows - 1) / Simd::kRows *
               tile_bytes<Type, kPanelBytes<Simd, Type>>(depth, Simd::kRows);
    });
}

template <class Simd>
void quantize_for(const QuantizedProduct& p, int thread, int threads) {
    with_type(p.type, [&](auto of) {
        using Type = decltype(of);

        if (p.rows <= kFewRows) return quantize_rows<Type, 1>(p, 1, thread, threads);
        quantize_rows<Type, kPanelBytes<Simd, Type>>(p, Simd::kRows, thread, threads);
    });
}

thread_local Workspace panels;

template <class Simd>
void multiply_columns(const QuantizedProduct& p, int first, int last) {
    with_type(p.type, [&](auto of) {
        using Type = decltype(of);

        if (p.rows > kFewRows) {
            return multiply_many_rows<Simd, Type>(p, first, last, panels.bytes(sizeof(Panel<Simd, Type>)));
        }
        if (p.rows == 3) return multiply_few<Simd, Type, 3>(p, 0, first, last);
        if (p.rows == 2) return multiply_few<Simd, Type, 2>(p, 0, first, last);
        return multiply_few<Simd, Type, 1>(p, 0, first, last);
    });
}

}  // namespace
}  // namespace hired
