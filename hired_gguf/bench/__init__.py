"""The benchmark: stock llama-cpp-python and hired-gguf on the same files, each in a process of its own."""
