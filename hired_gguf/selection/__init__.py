"""The token budget, and which visual tokens stay: Python's side of cpp/core."""
