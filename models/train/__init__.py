"""Trains the built-in model: `python -m train --out DIR` in the folder above."""
