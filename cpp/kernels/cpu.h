// Which of the kernels in this folder run here.
#pragma once

namespace hired {

/// True if this build has the AVX-512 kernels and this CPU and system run them. No kernel may be called
/// otherwise.
bool have_kernels();

}  // namespace hired
