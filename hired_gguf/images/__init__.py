"""Any source of a picture to upright RGB, trusting none."""
