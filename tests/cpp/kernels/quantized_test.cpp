#include "kernels/quantized.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "kernels.h"

using namespace hired;

namespace {

struct Aligned {
    void operator()(char* p) const { ::operator delete(p, std::align_val_t{64}); }
};

using Block = std::vector<std::uint8_t>;

float half_at(const std::uint8_t* p) {
    std::uint16_t bits;
    std::memcpy(&bits, p, sizeof(bits));
    const int exponent = bits >> 10 & 31;
    const float fraction = static_cast<float>(bits & 1023) / 1024;
    const float value = exponent ? std::ldexp(1 + fraction, exponent - 15) : std::ldexp(fraction, -14);
    return bits & 0x8000 ? -value : value;
}

// The scales and minima of Q4_K and Q5_K: eight pairs of 6 bits in 12 bytes.
int scale_k4(const std::uint8_t* p, int j) {
    return j < 4 ? p[j] & 63 : (p[j + 4] & 15) | p[j - 4] >> 6 << 4;
}

int min_k4(const std::uint8_t* p, int j) {
    return j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | p[j] >> 6 << 4;
}

// Value i of a block, as GGUF describes each type, one by one.
float q4_0(const std::uint8_t* b, int i) {
    const int pair = b[2 + i % 16];
    return half_at(b) * static_cast<float>((i < 16 ? pair & 15 : pair >> 4) - 8);
}

float q5_0(const std::uint8_t* b, int i) {
    const int pair = b[6 + i % 16], fifth = b[2 + i / 8] >> i % 8 & 1;
    return half_at(b) * static_cast<float>(((i < 16 ? pair & 15 : pair >> 4) | fifth << 4) - 16);
}

float q8_0(const std::uint8_t* b, int i) {
    return half_at(b) * static_cast<float>(static_cast<std::int8_t>(b[2 + i]));
}

float q4_k(const std::uint8_t* b, int i) {
    const int group = i / 32, byte = b[16 + i / 64 * 32 + i % 32];
    const int q = group % 2 ? byte >> 4 : byte & 15;
    return half_at(b) * static_cast<float>(scale_k4(b + 4, group) * q) -
           half_at(b + 2) * static_cast<float>(min_k4(b + 4, group));
}

float q5_k(const std::uint8_t* b, int i) {
    const int group = i / 32, byte = b[48 + i / 64 * 32 + i % 32];
    const int q = (group % 2 ? byte >> 4 : byte & 15) | (b[16 + i % 32] >> group & 1) << 4;
    return half_at(b) * static_cast<float>(scale_k4(b + 4, group) * q) -
           half_at(b + 2) * static_cast<float>(min_k4(b + 4, group));
}

float q6_k(const std::uint8_t* b, int i) {
    const int half = i / 128, quarter = i % 128 / 32, at = i % 32;
    const int low = b[half * 64 + quarter % 2 * 32 + at] >> quarter / 2 * 4 & 15;
    const int high = b[128 + half * 32 + at] >> 2 * quarter & 3;
    const auto scale = static_cast<std::int8_t>(b[192 + i / 16]);
    return half_at(b + 208) * static_cast<float>(scale * ((low | high << 4) - 32));
}

float q3_k(const std::uint8_t* b, int i) {
    const int low = b[32 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
    const int high = b[i % 32] >> i / 32 & 1;
    const int group = i / 16;
    const int low4 = b[96 + group % 8] >> group / 8 * 4 & 15, high2 = b[104 + group % 4] >> group / 4 * 2 & 3;
    return half_at(b + 108) * static_cast<float>(((low4 | high2 << 4) - 32) * ((low | high << 2) - 4));
}

struct Layout {
    QuantizedType type;
    const char* name;
    int values, bytes;
    std::vector<int> halves;  // where scales in half precision are
    float (*value)(const std::uint8_t*, int);
};

const std::vector<Layout>& layouts() {
    static const std::vector<Layout> all = {
        {QuantizedType::q3_k, "Q3_K", 256, 110, {108}, q3_k},
        {QuantizedType::q4_0, "Q4_0", 32, 18, {0}, q4_0},
        {QuantizedType::q4_k, "Q4_K", 256, 144, {0, 2}, q4_k},
        {QuantizedType::q5_0, "Q5_0", 32, 22, {0}, q5_0},
        {QuantizedType::q5_k, "Q5_K", 256, 176, {0, 2}, q5_k},
        {QuantizedType::q6_k, "Q6_K", 256, 210, {208}, q6_k},
        {QuantizedType::q8_0, "Q8_0", 32, 34, {0}, q8_0},
    };
    return all;
}

// Weights as a file has them: any bytes, with scales that are numbers. x as it is rounded, to 8 bits a scale,
// too.
struct Case {
    const Layout& layout;
    int rows, columns, depth;
    std::size_t x_stride;
    Block stored;
    Floats x, w, x_rounded;
    Result y;

    Case(const Layout& of, int m, int n, int k, unsigned seed)
        : layout(of), rows(m), columns(n), depth(k), x_stride(k + 7), y(m, n, n + 3) {
        x = random_floats(m * x_stride, seed);
        if (k > layout.values) std::fill(x.begin(), x.begin() + layout.values, 0.0F);
        x_rounded.resize(x.size());
        for (int i = 0; i < m; ++i) {
            for (int b = 0; b < k; b += layout.values) {
                round_unit(&x[i * x_stride + b], &x_rounded[i * x_stride + b]);
            }
        }
        std::mt19937 random(seed + 1);
        for (std::size_t b = 0; b < static_cast<std::size_t>(n) * k; b += layout.values) add_block(random);
    }

    void round_unit(const float* from, float* to) const {
        float largest = 0;
        for (int i = 0; i < layout.values; ++i) largest = std::max(largest, std::abs(from[i]));
        const float factor = largest > 0 ? 127.0F / largest : 0.0F;
        const float scale = layout.values == 32 ? round_to_half(largest / 127.0F) : largest / 127.0F;
        for (int i = 0; i < layout.values; ++i) to[i] = scale * std::nearbyint(from[i] * factor);
    }

    void add_block(std::mt19937& random) {
        std::uniform_real_distribution<float> scales(-0.1F, 0.1F);
        Block block(layout.bytes);
        for (auto& byte : block) byte = static_cast<std::uint8_t>(random());
        for (int at : layout.halves) {
            const std::uint16_t half = to_half(round_to_half(scales(random)));
            std::memcpy(&block[at], &half, sizeof(half));
        }
        stored.insert(stored.end(), block.begin(), block.end());
        for (int i = 0; i < layout.values; ++i) w.push_back(layout.value(block.data(), i));
    }

    void run(const Kernels& kernels, int threads, int stripe) {
        const std::size_t bytes = kernels.quantized_bytes(layout.type, rows, depth);
        std::unique_ptr<char, Aligned> quantized(
            static_cast<char*>(::operator new(bytes, std::align_val_t{64})));
        std::memset(quantized.get(), 0x55, bytes);  // what is not written would show
        const QuantizedProduct product{.type = layout.type,
                                       .rows = rows,
                                       .columns = columns,
                                       .depth = depth,
                                       .x = x.data(),
                                       .x_stride = x_stride,
                                       .quantized = quantized.get(),
                                       .w = stored.data(),
                                       .y = y.values.data(),
                                       .y_stride = y.stride};
        for (int t = 0; t < threads; ++t) kernels.quantize(product, t, threads);
        for (int n = 0; n < columns; n += stripe) {
            kernels.multiply_quantized(product, n, std::min(columns, n + stripe));
        }
    }

    double expected(int i, int n) const {
        double sum = 0;
        for (int k = 0; k < depth; ++k) {
            sum +=
                static_cast<double>(x_rounded[i * x_stride + k]) * w[static_cast<std::size_t>(n) * depth + k];
        }
        return sum;
    }

    // What float32 can lose: its rounding of the largest sums.
    double allowed() const {
        double largest = 0;
        for (int n = 0; n < columns; ++n) {
            double sum = 0;
            for (int k = 0; k < depth; ++k) sum += std::abs(w[static_cast<std::size_t>(n) * depth + k]);
            largest = std::max(largest, sum);
        }
        return 3e-7 * largest + 1e-6;
    }
};

void check(const Layout& layout, int m, int n, int k, int threads, int stripe, unsigned seed) {
    for (const Kernels* kernels : kernels_here()) {
        CAPTURE(kernels->name);
        CAPTURE(layout.name);
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        Case c(layout, m, n, k, seed);
        c.run(*kernels, threads, stripe);
        CHECK(c.y.largest_error([&](int i, int j) { return c.expected(i, j); }) < c.allowed());
        CHECK(c.y.gaps_are_untouched());
    }
}

}  // namespace

TEST_CASE("a product with quantised weights equals the plain loop, on any shape, in any stripes") {
    std::mt19937 random(3);
    const auto up_to = [&](int n) { return std::uniform_int_distribution(1, n)(random); };
    for (const Layout& layout : layouts()) {
        for (unsigned seed = 0; seed < 12; ++seed) {
            const int depth = layout.values * up_to(1280 / layout.values);
            check(layout, up_to(40), up_to(150), depth, up_to(5), 32 * up_to(4), seed);
        }
    }
}

TEST_CASE("few rows take another way, at any depth") {
    for (const Layout& layout : layouts()) {
        for (int m : {1, 2, 3, 4}) check(layout, m, 40, layout.values * 11, 2, 32, 5);
        for (int blocks : {1, 7, 8, 9, 15, 16, 17}) {
            check(layout, 1, 33, layout.values * blocks, 1, 64, 6);
            check(layout, 13, 33, layout.values * blocks, 1, 64, 7);
        }
    }
}

TEST_CASE("more rows than are multiplied at once") {
    for (const Layout& layout : layouts()) check(layout, 1030, 17, layout.values, 3, 32, 8);
}

TEST_CASE("the largest values there are overflow nothing") {
    for (const Layout& layout : layouts()) {
        for (const Kernels* kernels : kernels_here()) {
            CAPTURE(kernels->name);
            CAPTURE(layout.name);
            Case c(layout, 6, 32, 512, 9);
            for (int fill : {0x00, 0x7f, 0x80, 0xff}) {
                std::ranges::fill(c.x, 1.0F);
                std::ranges::fill(c.x_rounded, layout.values == 32 ? 127 * round_to_half(1 / 127.0F) : 1.0F);
                c.w.clear();
                for (std::size_t b = 0; b < c.stored.size(); b += layout.bytes) {
                    std::uint8_t* block = &c.stored[b];
                    const Block before(block, block + layout.bytes);
                    std::fill_n(block, layout.bytes, static_cast<std::uint8_t>(fill));
                    for (int at : layout.halves) std::copy_n(&before[at], 2, block + at);
                    for (int i = 0; i < layout.values; ++i) c.w.push_back(layout.value(block, i));
                }
                c.run(*kernels, 1, 32);
                CHECK(c.y.largest_error([&](int i, int j) { return c.expected(i, j); }) < c.allowed());
            }
        }
    }
}

TEST_CASE("rows of x take whole cache lines") {
    for (const Kernels* kernels : kernels_here()) {
        for (const Layout& layout : layouts()) {
            for (int m = 1; m < 30; ++m) {
                CHECK(kernels->quantized_bytes(layout.type, m, layout.values) % 64 == 0);
            }
        }
    }
}
