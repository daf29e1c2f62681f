// Shared by the files that are compiled for one instruction set (*_avx2.cpp, *_avxvnni.cpp, *_avx512.cpp).
// All of it, and of the headers that only they include, is in anonymous namespaces, and neither these nor
// they use inline functions or templates of the standard library: the linker may merge such copies with those
// of other files, which would then run this CPU's code on any.
#pragma once

#include <immintrin.h>

#include <cstdint>

#if defined(__clang__)
#define HIRED_UNROLL _Pragma("unroll")
#else
#define HIRED_UNROLL _Pragma("GCC unroll 16")
#endif
