"""GGUF files: read with distrust, checked as a pair, rewritten."""
