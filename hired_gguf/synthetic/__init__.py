"""Pairs with random weights: real shapes and real speed, meaningless answers. For benchmarks and tests."""
