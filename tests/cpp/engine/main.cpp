#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <llama.h>

int main(int argc, char** argv) {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);  // damaged files make it long
    llama_backend_init();
    const int failed = doctest::Context(argc, argv).run();
    llama_backend_free();
    return failed;
}
