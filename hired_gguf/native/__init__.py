"""The one llama.cpp in the process: loading, kernels, log, CPU, private names of llama-cpp-python."""
