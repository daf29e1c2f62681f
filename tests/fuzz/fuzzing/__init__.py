"""Fuzzing of everything that reads what others made. `tests/fuzz/run.py` is the command."""
