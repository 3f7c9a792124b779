"""Benchmarks of the running stack: `python -m benchmarks` prints figures and asserts nothing."""
