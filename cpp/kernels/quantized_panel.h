// Many rows of x: a panel of weights is unpacked to bytes once, and all rows are multiplied by it. The same
// for every type; `Simd` is the instruction set (simd_*.h). See workspace.h for the anonymous namespace.
#pragma once

#include "kernels/quantized_rows.h"

namespace hired {
namespace {

constexpr int kDepth = 512;        // of a panel, which stays in the L1 cache
constexpr int kGroupOfPanels = 8;  // whose columns of y stay in the L2 cache, beside kDepth of x
constexpr int kRowsAtOnce = 1024;

template <class Simd, class Type>
struct Panel {
    static constexpr int kColumns = Simd::kColumns;
    static constexpr int kValueBytes = Simd::template kValueBytes<Type::kLargest>;  // of weights and of x
    static constexpr int kPartBytes = kPart * kColumns * kValueBytes;
    static constexpr int kGroups = kDepth / Type::kGroup;

    alignas(64) std::uint8_t values[kDepth / kPart * kPartBytes];  // see Simd::store and Simd::sums
    alignas(64) float scales[kGroups * kColumns];                  // [group, column]
    alignas(64) float mins[Type::kMins ? kDepth / kPart * kColumns : 1];
};

/// Rows of 8 become columns of 8.
inline void transpose(__m256i (&r)[8]) {
    __m256i t[8];
    HIRED_UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    HIRED_UNROLL
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    HIRED_UNROLL
    for (int i = 0; i < 4; ++i) {
        const __m256i a = r[i], b = r[i + 4];
        r[i] = _mm256_permute2x128_si256(a, b, 0x20);
        r[i + 4] = _mm256_permute2x128_si256(a, b, 0x31);
    }
}

inline void transpose(__m256 (&r)[8]) {
    __m256i bits[8];
    HIRED_UNROLL
    for (int i = 0; i < 8; ++i) bits[i] = _mm256_castps_si256(r[i]);
    transpose(bits);
    HIRED_UNROLL
    for (int i = 0; i < 8; ++i) r[i] = _mm256_castsi256_ps(bits[i]);
}

/// Writes rows [8 groups][8 columns] of the panel's scales or minima.
inline void store_columns(__m256 (&columns)[8], float* to, int stride, int rows) {
    transpose(columns);
    for (int i = 0; i < rows; ++i) _mm256_store_ps(to + i * stride, columns[i]);
}

/// Eight columns of a stretch, `parts` parts of it. Sources of columns that are not there repeat the last.
template <class Simd, class Type>
void unpack_stretch(const Bytes (&source)[8], int first_part, int parts, int column,
                    Panel<Simd, Type>& panel) {
    constexpr int kColumns = Simd::kColumns;
    constexpr int kGroups = kStretch / Type::kGroup;
    for (int part = 0; part < parts; ++part) {
        __m256i v[8];
        HIRED_UNROLL
        for (int c = 0; c < 8; ++c) v[c] = Type::values(source[c], part);
        transpose(v);
        std::uint8_t* to = panel.values + (first_part + part) * Panel<Simd, Type>::kPartBytes + 4 * column;
        Simd::template store<Type::kLargest>(v, to);
    }
    for (int half = 0; half < kGroups / 8; ++half) {
        __m256 v[8];
        for (int c = 0; c < 8; ++c) v[c] = Type::scales(source[c], half, parts);
        float* to = panel.scales + (first_part * (kPart / Type::kGroup) + 8 * half) * kColumns + column;
        store_columns(v, to, kColumns, kGroups == 8 ? parts : 8);
    }
    if constexpr (Type::kMins) {
        __m256 v[8];
        for (int c = 0; c < 8; ++c) v[c] = Type::mins(source[c]);
        store_columns(v, panel.mins + first_part * kColumns + column, kColumns, parts);
    }
}

template <class Type>
Bytes stretch_of(const QuantizedProduct& p, int column, int start) {
    const std::size_t row_bytes = static_cast<std::size_t>(p.depth / Type::kBlock) * Type::kBytes;
    return static_cast<Bytes>(p.w) + column * row_bytes +
           static_cast<std::size_t>(start / Type::kBlock) * Type::kBytes;
}

template <class Simd, class Type>
void unpack(const QuantizedProduct& p, int column, int start, int depth, Panel<Simd, Type>& panel) {
    for (int c = 0; c < Simd::kColumns; c += 8) {
        for (int k = 0; k < depth; k += kStretch) {
            Bytes source[8];
            for (int i = 0; i < 8; ++i) {
                source[i] = stretch_of<Type>(p, least(column + c + i, p.columns - 1), start + k);
            }
            unpack_stretch<Simd, Type>(source, k / kPart, least(kParts, (depth - k) / kPart), c, panel);
        }
    }
}

/// `Rows` rows of a tile, from its row `row` on, by all columns of the panel. y is added to, or written.
template <class Simd, class Type, int Rows>
void multiply_tile(const Panel<Simd, Type>& panel, const RowTile& x, int row, int start, int depth, float* y,
                   std::size_t stride) {
    using Floats = typename Simd::Floats;      // NOLINT(readability-redundant-typename): clang 15 wants it
    using Integers = typename Simd::Integers;  // NOLINT(readability-redundant-typename)
    constexpr int kTile = Simd::kRows;
    constexpr int kLanes = Simd::kLanes;
    constexpr int kColumns = Simd::kColumns;
    constexpr int kGroups = kUnit<Type> / Type::kGroup;
    constexpr int kValueBytes = Panel<Simd, Type>::kValueBytes;
    Floats total[Rows][2];
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        for (int h = 0; h < 2; ++h) {
            total[i][h] = start ? Simd::load(y + i * stride + h * kLanes) : Simd::zero();
        }
    }
    const std::int8_t* values =
        x.values + (static_cast<std::size_t>(start / 4 * kValueBytes) * kTile + row) * 4;
    const float* x_scales = x.scales + start / kUnit<Type> * kTile + row;
    const std::int32_t* sums = x.sums + start / kSummed<Type> * kTile + row;
    const std::uint8_t* w = panel.values;
    const float* scales = panel.scales;
    const float* mins = panel.mins;
    for (int k = 0; k < depth; k += kUnit<Type>) {
        Floats unit[Rows][2];
        HIRED_UNROLL
        for (int i = 0; i < Rows; ++i) unit[i][0] = unit[i][1] = Simd::zero();
        for (int g = 0; g < kGroups; ++g) {
            Integers sum[Rows][2];
            Simd::template sums<Rows, Type::kLargest, Type::kGroup / 4, (Type::kBias > 0)>(
                w + g * Type::kGroup / kPart * Panel<Simd, Type>::kPartBytes +
                    (g * Type::kGroup % kPart) * kColumns * kValueBytes,
                values + static_cast<std::size_t>(g) * Type::kGroup * kTile * kValueBytes,
                sums + (Type::kMins ? 0 : g * kTile), sum);
            const Floats s0 = Simd::load(scales + g * kColumns),
                         s1 = Simd::load(scales + g * kColumns + kLanes);
            HIRED_UNROLL
            for (int i = 0; i < Rows; ++i) {
                unit[i][0] = Simd::fma(Simd::to_floats(sum[i][0]), s0, unit[i][0]);
                unit[i][1] = Simd::fma(Simd::to_floats(sum[i][1]), s1, unit[i][1]);
            }
            if constexpr (Type::kMins) {
                const Floats m0 = Simd::load(mins + g * kColumns),
                             m1 = Simd::load(mins + g * kColumns + kLanes);
                HIRED_UNROLL
                for (int i = 0; i < Rows; ++i) {
                    const Floats s = Simd::every(reinterpret_cast<const float*>(sums) + g * kTile + i);
                    unit[i][0] = Simd::fma(s, m0, unit[i][0]);
                    unit[i][1] = Simd::fma(s, m1, unit[i][1]);
                }
            }
        }
        HIRED_UNROLL
        for (int i = 0; i < Rows; ++i) {
            const Floats s = Simd::every(x_scales + i);
            total[i][0] = Simd::fma(unit[i][0], s, total[i][0]);
            total[i][1] = Simd::fma(unit[i][1], s, total[i][1]);
        }
        w += kUnit<Type> / kPart * Panel<Simd, Type>::kPartBytes;
        values += static_cast<std::size_t>(kUnit<Type>) * kTile * kValueBytes;
        x_scales += kTile;
        sums += kUnit<Type> / kSummed<Type> * kTile;
        scales += kGroups * kColumns;
        mins += Type::kMins ? kGroups * kColumns : 0;
    }
    HIRED_UNROLL
    for (int i = 0; i < Rows; ++i) {
        for (int h = 0; h < 2; ++h) Simd::store(y + i * stride + h * kLanes, total[i][h]);
    }
}

/// The rows that are there of a tile: all of them, or as sums of powers of two.
template <class Simd, class Type, int Rows = Simd::kRows>
void multiply_rows(const Panel<Simd, Type>& panel, const RowTile& x, int row, int rows, int start, int depth,
                   float* y, std::size_t stride) {
    constexpr int kNext = Rows == Simd::kRows ? Simd::kHalfRows : Rows / 2;
    if (rows >= Rows) {
        multiply_tile<Simd, Type, Rows>(panel, x, row, start, depth, y, stride);
        row += Rows;
        rows -= Rows;
        y += Rows * stride;
    }
    if constexpr (kNext > 0) {
        if (rows) multiply_rows<Simd, Type, kNext>(panel, x, row, rows, start, depth, y, stride);
    }
}

/// All rows of x by a panel, to columns from `column` on.
template <class Simd, class Type>
void multiply_panel(const QuantizedProduct& p, const Panel<Simd, Type>& panel, int row, int rows, int column,
                    int start, int depth) {
    constexpr int kColumns = Simd::kColumns;
    const int columns = least(kColumns, p.columns - column);
    for (int i = row; i < row + rows; i += Simd::kRows) {
        const int some = least(Simd::kRows, p.rows - i);
        const RowTile x =
            tile_at<Type, Panel<Simd, Type>::kValueBytes>(p.quantized, i / Simd::kRows, p.depth, Simd::kRows);
        float* y = p.y + static_cast<std::size_t>(i) * p.y_stride + column;
        if (columns == kColumns) {
            multiply_rows<Simd, Type>(panel, x, 0, some, start, depth, y, p.y_stride);
            continue;
        }
        alignas(64) float narrow[Simd::kRows * kColumns];
        for (int r = 0; r < some && start; ++r) {
            __builtin_memcpy(narrow + r * kColumns, y + r * p.y_stride, columns * sizeof(float));
        }
        multiply_rows<Simd, Type>(panel, x, 0, some, start, depth, narrow, kColumns);
        for (int r = 0; r < some; ++r) {
            __builtin_memcpy(y + r * p.y_stride, narrow + r * kColumns, columns * sizeof(float));
        }
    }
}

/// Columns `first` to `last` of y.
template <class Simd, class Type>
void multiply_many_rows(const QuantizedProduct& p, int first, int last, void* memory) {
    auto& panel = *static_cast<Panel<Simd, Type>*>(memory);
    constexpr int kRowsOfBlock = kRowsAtOnce / Simd::kRows * Simd::kRows;
    constexpr int kColumnsOfGroup = kGroupOfPanels * Simd::kColumns;
    for (int row = 0; row < p.rows; row += kRowsOfBlock) {
        const int rows = least(kRowsOfBlock, p.rows - row);
        for (int group = first; group < last; group += kColumnsOfGroup) {
            for (int k = 0; k < p.depth; k += kDepth) {
                const int depth = least(kDepth, p.depth - k);
                for (int n = group; n < least(last, group + kColumnsOfGroup); n += Simd::kColumns) {
                    unpack<Simd, Type>(p, n, k, depth, panel);
                    multiply_panel<Simd, Type>(p, panel, row, rows, n, k, depth);
                }
            }
        }
    }
}

}  // namespace
}  // namespace hired
